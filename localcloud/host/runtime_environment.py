"""The Python environment in which Microsoft's own worker library runs an app: `python -m localcloud.host.runtime_environment`.

It is apart from the host's own, for azure-functions-runtime asks for Python 3.13. It has the app's requirements (those of this
checkout when the app has none), the library, and what the worker process itself imports.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .host_json import HostError

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDER = CHECKOUT / ".venv-runtime"
VERSION = "3.13"
RUNTIME = "azure-functions-runtime==1.3.0"
WORKER = "msgspec"


def find_python(given: str | None = None) -> Path:
    """A Python 3.13: the one given, or the first that is found on PATH or among pyenv's; raises HostError when there is none."""
    tried = [given] if given else _candidates()
    for candidate in tried:
        if _version(candidate) == VERSION:
            return Path(shutil.which(candidate) or candidate)
    where = given or f"on PATH (python{VERSION}) or among pyenv's versions"
    raise HostError(f"--engine runtime needs Python {VERSION}, and there is none {where}: install it, or name it with --engine-python")


def _candidates() -> list[str]:
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    own = [sys.executable] if sys.version_info[:2] == tuple(map(int, VERSION.split("."))) else []
    return [*own, f"python{VERSION}", *(str(path) for path in sorted(pyenv.glob(f"{VERSION}*/bin/python{VERSION}"), reverse=True))]


def _version(python: str) -> str:
    """`3.13`; nothing when it does not run, as pyenv's stand-ins do not for a version that is not chosen."""
    try:
        code = "import sys; print('{}.{}'.format(*sys.version_info))"
        return subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=30).stdout.strip()
    except OSError:
        return ""


def make_environment(python: Path, app: Path) -> Path:
    """Its interpreter; the environment is made first when it is missing or its requirements have changed. That takes a minute."""
    requirements = next((path for path in (app / "requirements.txt", CHECKOUT / "requirements.txt") if path.is_file()), None)
    content = requirements.read_bytes() if requirements else b""
    folder = FOLDER / hashlib.sha256(f"{python} {RUNTIME} {WORKER} ".encode() + content).hexdigest()[:12]
    marker = folder / "made"
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two that start at once make it once
        if not marker.is_file():
            _make(python, folder, ("-r", str(requirements)) if requirements else ())
            marker.touch()
    return folder / "bin" / "python"


def _make(python: Path, folder: Path, requirements: Sequence[str]) -> None:
    print(
        f"localcloud: making the environment of the worker library in {folder}, once; it takes about a minute", file=sys.stderr, flush=True
    )
    _run(python, "-m", "venv", "--clear", folder)
    _run(folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", RUNTIME, WORKER, *requirements)


def _run(*command: str | Path) -> None:
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if result.returncode:
        said = (result.stderr.strip() or result.stdout.strip()).splitlines()
        raise HostError(f"the environment of --engine runtime could not be made: {said[-1] if said else command[0]}")


if __name__ == "__main__":
    try:
        print(f"worker environment: {make_environment(find_python(), CHECKOUT).parent.parent}")
    except HostError as problem:
        sys.exit(str(problem))
