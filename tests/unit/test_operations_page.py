"""What docs/operations.md names is there: settings, log lines and their levels, counts, keys, commands, links, numbers."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from loadme import settings
from loadme.cli.commands import loadme
from loadme.core.poison import MAX_DEQUEUE
from loadme.core.policies import Policy
from loadme.core.state import Attempt
from loadme.definitions import durations
from loadme.handlers import queries, retention
from loadme.handlers.announce import PATIENCE
from loadme.settings import Retention
from tests.unit.test_docs import ROOT, Watched, quoted, rows, section, text

PAGE = ROOT / "docs" / "operations.md"
SOURCES = "\n".join(text(file) for file in sorted((ROOT / "loadme").rglob("*.py")))
LEVELS = {name: level for level, name in re.findall(r'log\.(info|warning|error)\("([a-z-]+)"', SOURCES)}
GIVEN_TO_CONTAINERS = {"LOADME_ATTEMPT_ID", "LOADME_RUN_ID", "LOADME_STEP", "LOADME_ITEM"}


def test_every_setting_that_is_named_is_read() -> None:
    environment = Watched(dict.fromkeys(settings.REQUIRED, "x") | {"AzureWebJobsStorage": "x", "LOADME_TOKEN_KEYS": "k:" + "YWJj" * 8})
    settings.read(environment, ROOT)
    named = set(re.findall(r"\bLOADME_[A-Z0-9_]+", text(PAGE)))

    assert named - GIVEN_TO_CONTAINERS <= environment.asked
    assert all(f'"{name}"' in SOURCES for name in GIVEN_TO_CONTAINERS)


def test_every_log_line_of_the_table_is_written_at_that_level() -> None:
    table = [(quoted(cells[0]), cells[1]) for cells in rows(section(PAGE, "Log lines"))]

    assert {name: level for names, level in table for name in names} == {name: LEVELS.get(name) for names, _ in table for name in names}


def test_every_error_that_the_app_logs_is_in_the_table_of_lines_to_watch() -> None:
    named = {name for cells in rows(section(PAGE, "Log lines")) for name in quoted(cells[0])}

    assert {name for name, level in LEVELS.items() if level == "error"} <= named


def test_every_line_that_helps_to_find_a_cause_is_written() -> None:
    [paragraph] = re.findall(r"Worth knowing.*", section(PAGE, "Log lines"), re.DOTALL)

    assert set(quoted(paragraph)) <= set(LEVELS)


def test_the_counts_are_those_of_the_patrol() -> None:
    source = text(ROOT / "loadme/handlers/patrol.py") + text(ROOT / "loadme/handlers/sweep.py")
    counted = {
        name for found in re.findall(r'found\["(\w+)"\]|_each\(found, "(\w+)"|found\.update\((\w+)=', source) for name in found if name
    }
    table = section(PAGE, "The patrol").partition("| count |")[2]

    assert {name for cells in rows(table) for name in quoted(cells[0])} == counted


def test_the_keys_of_waiting_are_those_that_the_api_shows() -> None:
    moment = datetime(2030, 1, 1, tzinfo=UTC)
    shown = queries._waiting(Attempt(waiting="quota", launched_at=moment, expires_at=moment))
    table = section(PAGE, "Quota and what waiting means").partition("| key of")[2]

    assert shown is not None
    assert {quoted(cells[0])[0] for cells in rows(table)} == set(shown)


def test_what_is_kept_for_how_long_is_the_default() -> None:
    told = {quoted(cells[0])[0]: cells[1] for cells in rows(section(PAGE, "Retention"))}
    kept = Retention()

    assert kept.runs == durations.seconds(quoted(told["LOADME_RETAIN_RUNS"])[0])
    assert (kept.logs, kept.files) == (None, None)
    assert told["LOADME_RETAIN_LOGS"] == told["LOADME_RETAIN_FILES"] == "with their run"
    assert f"removes {retention.PAGE} of each" in section(PAGE, "Retention")


def test_the_times_are_those_of_the_policy() -> None:
    policy = Policy()

    assert (policy.check_max, policy.function_timeout, policy.overdue) == (120, 120, 120), "2 minutes in the tables"
    assert (policy.patrol_period, policy.sweep_period, policy.leak, policy.first_look) == (300, 600, 600, 60)
    assert f"tried {MAX_DEQUEUE} times" in text(PAGE)
    assert PATIENCE.days == int(re.findall(r"did not answer for (\d) days", text(PAGE))[0])


@pytest.mark.parametrize("line", sorted({one for one in quoted(text(PAGE)) if one.startswith("loadme ")}))
def test_a_command_that_is_named_exists_with_its_options(line: str) -> None:
    name, _, options = line.removeprefix("loadme ").partition(" ")
    command = loadme.commands[name]

    assert set(re.findall(r"(?<!\S)--[a-z]+", options)) <= {option for given in command.params for option in given.opts}


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(((?!https?:)[^)]+)\)", text(PAGE)):
        file, _, anchor = target.partition("#")
        linked = PAGE.parent / file if file else PAGE
        anchors = {heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", text(linked), re.MULTILINE)}

        assert not anchor or anchor in anchors, target
