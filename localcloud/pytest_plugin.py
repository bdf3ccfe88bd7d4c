"""The pytest plugin: the fixtures `localcloud` and `cloud`. Nothing but this file is imported until a test asks for one of them."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.settings import CloudSettings
    from localcloud.testing import CloudUnderTest
    from localcloud.testing.images import Images

OPTIONS = {
    "app": ("the folder of function_app.py, from the root folder (default: loadme's checkout)", "folder"),
    "workflows": ("the folder of workflow files, from the root folder (default: workflows, if there is one)", "folder"),
    "images": ("more image maps, from the root folder, separated by spaces", "files"),
    "containers": ("what runs containers: processes, podman or docker (default: processes)", "name"),
    "scale": ("how long Azure's waits take; 1 is as on Azure (default: 0.001)", "number"),
}
RUNS_SECTION = "the runs of this test"
LOG_SECTION = "the local cloud's Functions host"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Each is an option and, with an underscore, a key of the configuration file."""
    group = parser.getgroup("localcloud", "the local cloud for workflows")
    for name, (text, kind) in OPTIONS.items():
        group.addoption(f"--localcloud-{name}", metavar=kind.upper(), help=text)
        parser.addini(f"localcloud_{name}", text, default="")


def pytest_configure(config: pytest.Config) -> None:
    """What makes no sense is said before anything is started."""
    scale = _option(config, "scale")
    try:
        fits = not scale or 0 < float(scale) <= 1000
    except ValueError:
        fits = False
    if not fits:
        raise pytest.UsageError(f"localcloud_scale: {scale} is not a scale: give a number above 0, such as 0.001")


@pytest.fixture(scope="session")
def localcloud_settings(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> CloudSettings:
    """How the session's cloud is started. Override it, and change what it gives with `dataclasses.replace`, for what no option says."""
    from localcloud.testing.settings import SCALE, quick_settings

    given = {name: _option(pytestconfig, name) for name in OPTIONS}
    root = pytestconfig.rootpath
    usual = root / "workflows"
    workflows = root / given["workflows"] if given["workflows"] else (usual if usual.is_dir() else None)
    settings = quick_settings(
        tmp_path_factory.mktemp("localcloud"),
        app=root / given["app"] if given["app"] else None,
        workflows=workflows,
        scale=float(given["scale"] or SCALE),
    )
    images = tuple(root / file for file in given["images"].split())
    return dataclasses.replace(settings, images=images, containers=given["containers"] or settings.containers)


@pytest.fixture(scope="session")
def localcloud_images(localcloud_settings: CloudSettings) -> Images:
    """The images that tests make."""
    from localcloud.testing.cloud import images_in

    return images_in(localcloud_settings.folder)


@pytest.fixture(scope="session")
def localcloud(localcloud_settings: CloudSettings, localcloud_images: Images) -> Iterator[Cloud]:
    """A local cloud for the whole session. At its end nothing may be left of the tests' container groups."""
    from localcloud.cloud import Cloud
    from localcloud.workflows import WorkflowApi

    settings = dataclasses.replace(localcloud_settings, images=(*localcloud_settings.images, localcloud_images.file))
    with Cloud(settings) as cloud:
        # The first call is the slowest one: here and not in the first test.
        for line in WorkflowApi(cloud.url, cloud.key).broken():
            warnings.warn(f"a workflow file is broken: {line}", pytest.PytestWarning, stacklevel=1)
        yield cloud
        _nothing_is_left(cloud, localcloud_images)


@pytest.fixture
def cloud(localcloud: Cloud, localcloud_images: Images) -> Iterator[CloudUnderTest]:
    """The session's cloud, clean for one test: `start` runs, script faults, read back calls."""
    from localcloud.testing import CloudUnderTest

    under_test = CloudUnderTest(localcloud, localcloud_images)
    under_test.begin()
    yield under_test
    under_test.end()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that failed shows what became of its runs, and the last lines of the host's log."""
    report = yield
    fixtures = getattr(item, "funcargs", {})
    if report.when == "call" and report.failed:
        told = ((RUNS_SECTION, _runs(fixtures.get("cloud"))), (LOG_SECTION, _log_tail(fixtures.get("cloud") or fixtures.get("localcloud"))))
        report.sections += [(title, text) for title, text in told if text]
    return report


def pytest_assertrepr_compare(op: str, left: Any, right: Any) -> list[str] | None:
    """`assert run.status == "succeeded"` says why it is not."""
    status = next((one for one in (left, right) if type(one).__name__ == "Status" and hasattr(one, "run")), None)
    if status is None:
        return None
    return [f"{left!r} {op} {right!r}", *status.run.explain().splitlines()]


def _option(config: pytest.Config, name: str) -> str:
    return str(config.getoption(f"--localcloud-{name}") or config.getini(f"localcloud_{name}") or "")


def _runs(found: Any) -> str:
    try:
        return str(found.told()) if hasattr(found, "told") else ""
    except Exception as error:  # a report that fails would hide what it is about
        return f"they cannot be shown: {error}"


def _log_tail(found: Any) -> str:
    cloud = getattr(found, "local", found)
    if not hasattr(cloud, "log_tail"):
        return ""
    from localcloud.testing.cloud import host_log

    return host_log(cloud)


def _nothing_is_left(cloud: Cloud, images: Images) -> None:
    from localcloud.testing import CloudUnderTest

    under_test = CloudUnderTest(cloud, images)
    try:
        under_test.assert_nothing_left()
    finally:
        under_test.end()
