"""Requests that real Azure answered, made of the local cloud's HTTP front: same status, same headers that matter, same body.

Every recording is replayed, from a state that `setups` makes. Every difference that is left stands in `DIFFERENCES` with its reason, and
none may stand there that is no difference any more.
"""

from __future__ import annotations

import fnmatch
import json
import os

import pytest

from localcloud.arm.deployments.normal_form import normal_form
from localcloud.arm.expressions.hashing import template_hash
from tests.unit.localcloud.recorded.comparing import differences, form, header_differences
from tests.unit.localcloud.recorded.deployment_setups import SETUPS
from tests.unit.localcloud.recorded.front import Front
from tests.unit.localcloud.recorded.samples import FOLDER, NAMES, sample

ABSENT = f"the recordings of real Azure are not beside this checkout ({FOLDER.parent.parent.name}/azure/samples)"
needs_recordings = pytest.mark.skipif(not NAMES, reason=ABSENT)

NO_EVENTS = "this snapshot had none; others do"
WAITS = "a container of an Always group that has ended is shown as waiting for its next start"
OLD_NETWORKS = "four lists came to networks in 2017; here every version shows the same"
NO_MACHINES = "the recorded template makes virtual machines, which cannot be had here"

DIFFERENCES: dict[str, dict[str, str]] = {
    "aci_get_failed_exit2_never": {"*.instanceView.events": NO_EVENTS},
    "aci_get_restarting_always": {"*.instanceView.events": NO_EVENTS},
    "aci_get_running": {"*.instanceView.events": NO_EVENTS},
    "aci_get_succeeded_exit0": {
        "body.properties.instanceView.state": WAITS,
        **{f"*.currentState.{key}": WAITS for key in ("state", "detailStatus", "exitCode", "startTime", "finishTime")},
        **{f"*.previousState.{key}": "times of containers had no fractions in 2018" for key in ("startTime", "finishTime")},
        "*.instanceView.events": "an event `Created` was told until 2021",
        "*.instanceView.events.*": "as above; and in 2018 images were pulled by their tag, at each start again",
    },
    "aci_op_succeeded": {"body.properties.events": NO_EVENTS},
    "aci_exec": {"body.password": "the recorder left it out"},
    "aci_stop_204": {"headers.retry-after": "the recorder of this one wrote the header into every answer"},
    "dep_get_failed": {
        "body.properties.templateLink": "deployed from a URI, which the local cloud refuses",
        "body.properties.providers*": NO_MACHINES,
        "body.properties.dependencies": NO_MACHINES,
        "body.properties.error.message": "the address in it changed after 2020; the newer one is here",
        "body.properties.error.details.0.target": "added by Azure in 2024",
    },
    "dep_list": {f"*.defaultSecurityRules.*.properties.*{end}": OLD_NETWORKS for end in ("Prefixes", "Ranges")},
    "dep_operations": {"body.value.0.properties.statusCode": "a network is made at once here, and by an operation on Azure"},
}


@pytest.mark.parametrize("name", NAMES)
def test_the_local_cloud_answers_as_azure_did(name: str) -> None:
    asked = sample(name)
    reply = SETUPS[name](Front(), asked)
    found = [] if reply.status_code == asked.status else [f"status: {asked.status} on Azure, {reply.status_code} here: {reply.text}"]
    found += header_differences(asked.headers, reply.headers)
    found += differences(asked.reply, json.loads(reply.text) if reply.text else None)
    allowed = DIFFERENCES.get(name, {})
    assert [line for line in found if not any(covers(pattern, line) for pattern in allowed)] == []
    assert [pattern for pattern in allowed if not any(covers(pattern, line) for line in found)] == [], "these are no differences any more"


def covers(pattern: str, line: str) -> bool:
    return fnmatch.fnmatchcase(line.partition(": ")[0], pattern)


def test_the_recordings_are_there_where_they_must_be() -> None:
    if not NAMES and not os.environ.get("CI"):
        pytest.skip(ABSENT)
    assert NAMES, ABSENT


@needs_recordings
def test_every_recording_has_a_set_up_and_no_table_speaks_of_others() -> None:
    assert set(NAMES) == SETUPS.keys()
    assert DIFFERENCES.keys() <= set(NAMES)


@needs_recordings
def test_a_stored_template_has_the_recorded_hash() -> None:
    source = sample("ts_get_version").reply["properties"]["mainTemplate"]
    assert template_hash(normal_form(source)) == sample("dep_put_201").reply["properties"]["templateHash"]


@pytest.mark.parametrize(
    ("recorded", "given", "same"),
    [
        ("2023-05-05T00:16:12.231Z", "2026-01-01T00:00:20.456Z", True),
        ("2023-05-05T00:16:12.231Z", "2026-01-01T00:00:20Z", False),
        ("2023-07-28T03:23:34.001838Z", "2026-01-01T00:00:20.4567890Z", True),
        ("0001-01-01T00:00:00Z", "2026-01-01T00:00:20Z", False),
        ("911491be-d2fb-46d5-a328-c83b1fa4d965", "not an id", False),
        ("/a/operationresults/eyJqb2J?x=1", "/a/operationresults/0123?x=1", True),
        ("PT1.297388S", "PT1M2.5S", True),
        ("Running", "running", False),
    ],
)
def test_forms_are_told_apart(recorded: str, given: str, same: bool) -> None:
    assert (form(recorded) == form(given)) is same


def test_a_comparison_sees_keys_types_lengths_and_values() -> None:
    recorded = {"a": 1.0, "b": [{"c": "x"}], "d": None}
    assert list(differences(recorded, json.loads(json.dumps(recorded)))) == []
    assert [list(differences(recorded, {**recorded, **changed})) for changed in ({"a": 1}, {"b": []}, {"b": [{"c": "y"}]}, {"e": 0})] == [
        ["body.a: float on Azure, int here"],
        ["body.b: 1 on Azure, 0 here"],
        ["body.b.0.c: 'x' on Azure, 'y' here"],
        ["body.e: not on Azure"],
    ]
    assert list(differences({"a": 1}, {})) == ["body.a: missing here"]


def test_headers_that_are_missing_malformed_or_too_many_are_seen() -> None:
    recorded = {"location": "https://a/operationresults/abc", "x-ms-ratelimit-remaining-subscription-writes": "1199"}
    given = {"x-ms-ratelimit-remaining-subscription-writes": "many", "x-ms-failure-cause": "gateway"}
    assert list(header_differences(recorded, given)) == [
        "headers.location: missing here",
        "headers.x-ms-ratelimit-remaining-subscription-writes: 'many' here",
        "headers.x-ms-failure-cause: not on Azure",
    ]
    assert list(header_differences({}, given)) == []
