"""Ids, tokens, messages, templates, logs, settings: the small pure parts."""

from __future__ import annotations

import base64
import json
import string
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadme import settings
from loadme.core import ids, loglines, messages, template, tokens
from loadme.core.arm import TemplateParameter
from loadme.core.outcome import Value
from loadme.core.policies import Policy
from loadme.errors import BadMessage, Terminal
from tests.world import PARAMETERS, SPEC

NOW = datetime(2030, 1, 1, tzinfo=UTC)
STEPS = st.from_regex(r"[a-z0-9](?:-?[a-z0-9]){0,13}", fullmatch=True)
RUNS = st.text(ids.ALPHABET, min_size=20, max_size=20)


@given(RUNS, STEPS, st.integers(0, 99_999), st.integers(1, 999))
def test_an_attempt_id_is_a_name_that_aci_allows_and_gives_its_parts_back(run, step, item, attempt):
    text = str(ids.AttemptId(run, step, item, attempt))
    assert len(text) <= 63
    assert set(text) <= set(string.ascii_lowercase + string.digits + "-")
    assert "--" not in text
    assert ids.parse_attempt(text) == (run, step, item, attempt)


@pytest.mark.parametrize(
    "text",
    ["", "lm-x", "lm-" + "0" * 20 + "-a-00-1", "lm-" + "0" * 20 + "-a-0-0", "lm-" + "0" * 20 + "-a--b-0-1", "lm-" + "u" * 20 + "-a-0-1"],
)
def test_what_is_no_attempt_id_is_none(text):
    assert ids.parse_attempt(text) is None


@given(st.lists(st.integers(0, 2**40), min_size=2, max_size=2, unique=True))
def test_run_ids_sort_by_time_and_their_listing_keys_the_other_way(moments):
    first, second = (ids.new_run_id(datetime.fromtimestamp(ms / 1000, UTC), lambda n: b"\xff" * n) for ms in sorted(moments))
    assert ids.is_run_id(first)
    assert first < second
    assert ids.newest_first(first) > ids.newest_first(second)
    assert ids.newest_first(ids.newest_first(first)) == first


@given(st.integers(0, 300), st.characters())
def test_a_changed_token_is_no_token(position, character):
    keys = {"k1": b"0123456789abcdef"}
    token = tokens.sign(keys, "a", NOW + timedelta(hours=1))
    changed = token[: position % len(token)] + character + token[position % len(token) + 1 :]
    assert tokens.verify(keys, token, "a", NOW)
    assert changed == token or not tokens.verify(keys, changed, "a", NOW)


def test_a_token_of_the_last_key_is_good_while_a_new_one_signs():
    old, new = {"a": b"0" * 16}, {"b": b"1" * 16, "a": b"0" * 16}
    token = tokens.sign(old, "x", NOW + timedelta(hours=1))
    assert tokens.verify(new, token, "x", NOW)
    assert tokens.sign(new, "x", NOW).split(".")[1] == "b"


def test_a_message_has_one_key_around_it_all_and_comes_back_as_it_was():
    request = messages.StepRequest(run="r", step="s", variables=Value(inline={"id": 1, "dequeueCount": 9}))
    body = messages.encode(request, tries=2)
    assert list(json.loads(body)) == ["loadme"]
    assert messages.decode(body) == messages.Envelope(tries=2, message=request)


def test_a_message_from_before_a_field_was_added_still_decodes():
    body = '{"loadme":{"version":1,"message":{"type":"StepCheck","run":"r","step":"s"}}}'
    assert messages.decode(body).message == messages.StepCheck(run="r", step="s", item=0, attempt=1, number=1)


@pytest.mark.parametrize(
    "body", ["", "x", "[]", "{}", '{"loadme":{}}', '{"loadme":{"version":1,"message":{"type":"Nothing"}}}', b"\xff\xfe"]
)
def test_what_is_no_message_is_said_to_be_none(body):
    with pytest.raises(BadMessage, match="cannot be read"):
        messages.decode(body)


def test_a_message_of_a_later_version_says_which_one():
    with pytest.raises(BadMessage, match="version 2"):
        messages.decode('{"loadme":{"version":2,"whatever":1}}')


def request(**changes) -> template.GroupRequest:
    base = {
        "name": "n", "location": "l", "image": "contoso.azurecr.io/a:1", "command": ("go",), "cpu": 1.0, "memory": 1.5,
        "plain": {"A": "1"}, "secure": {"B": "2"}, "identity": "/id", "tags": {"t": "1"},
    }  # fmt: skip
    return template.GroupRequest(**{**base, **changes})


def test_every_parameter_of_the_shipped_template_is_filled():
    shipped = json.loads((Path(__file__).parents[2] / "templates/container-group.json").read_text())["parameters"]
    declared = [TemplateParameter(name, one["type"], "defaultValue" in one) for name, one in shipped.items()]
    assert {name.lower() for name in set(shipped) - set(template.fill(declared, request()))} == set(template.NOTHING)
    assert {one.name for one in PARAMETERS} == set(shipped)
    assert {name for name, one in shipped.items() if one["type"].startswith("secure")} == {"environment", "volumeSecrets"}


def test_parameters_are_known_whatever_their_case_and_the_registry_is_the_images():
    filled = template.fill([TemplateParameter("NAME", "string", False), *PARAMETERS[2:]], request())
    assert (filled["NAME"], filled["registryServer"], filled["memory"], filled["cpu"]) == ("n", "contoso.azurecr.io", "1.5", "1")
    assert template.fill(PARAMETERS, request(image="docker.io/library/a"))["registryServer"] == ""


def test_a_parameter_that_nothing_fills_is_named_before_anything_is_deployed():
    with pytest.raises(Terminal, match="'zone'"):
        template.fill([*PARAMETERS, TemplateParameter("zone", "string", False)], request())
    assert "zone" not in template.fill([*PARAMETERS, TemplateParameter("zone", "string", True)], request())


def test_what_the_template_cannot_express_is_named():
    without = [one for one in PARAMETERS if one.name != "command"]
    with pytest.raises(Terminal, match="'command'"):
        template.fill(without, request())
    assert template.fill(without, request(command=()))


@pytest.mark.parametrize(
    ("saved", "later", "joined"),
    [
        ("", "a\n", "a\n"),
        ("a\nb\n", "a\nb\nc\n", "a\nb\nc\n"),
        ("a\nb\n", "b\nc\n", "a\nb\nc\n"),
        ("a\nb\n", "", "a\nb\n"),
        ("a\nb\n", "b\n", "a\nb\n"),
        ("a\n", "z\n", "a\n\nz\n"),
    ],
)
def test_what_is_read_later_is_joined_to_what_was_saved(saved, later, joined):
    assert loglines.join(saved, later) == joined


@given(st.lists(st.integers(0, 9), min_size=1), st.data())
def test_the_end_of_a_log_joins_to_its_beginning(numbers, data):
    whole = "".join(f"{index} {number}\n" for index, number in enumerate(numbers))
    cut = data.draw(st.integers(1, len(whole)))
    start = data.draw(st.integers(0, cut - 1))
    start = whole.rfind("\n", 0, start) + 1
    assert loglines.join(whole[:cut], whole[start:]) == whole


def test_the_last_verdict_of_the_attempt_counts_and_no_other():
    lines = [
        '::{"loadme":{"attempt":"b","status":"succeeded"}}::',
        '::{"loadme":{"attempt":"a","status":"failed"}}::',
        "::{broken}::",
        'x ::{"loadme":{"attempt":"a"}}::',
    ]
    log = "\n".join(lines)
    assert loglines.verdict(log, "a") == {"attempt": "a", "status": "failed"}
    assert loglines.verdict(log, "c") is None


ENVIRONMENT = {
    "AzureWebJobsStorage__accountName": "contoso",
    "LOADME_SUBSCRIPTION_ID": "s",
    "LOADME_RESOURCE_GROUP": "g",
    "LOADME_LOCATION": "l",
    "LOADME_TEMPLATE_SPEC": SPEC,
    "LOADME_TOKEN_KEYS": "k1:" + base64.b64encode(b"0" * 32).decode(),
    "WEBSITE_HOSTNAME": "app.azurewebsites.net",
}


def test_settings_are_read_from_a_mapping():
    found = settings.read({**ENVIRONMENT, "LOADME_CHECK_FIRST": "2"}, Path("/app"))
    assert found.storage.table == "https://contoso.table.core.windows.net"
    assert (found.public_url, found.workflows, found.policy) == (
        "https://app.azurewebsites.net",
        Path("/app/workflows"),
        Policy(check_first=2),
    )
    assert found.files_url == "https://contoso.blob.core.windows.net/loadme-files"


def test_every_setting_that_is_missing_or_wrong_is_named_at_once():
    with pytest.raises(settings.BadSettings) as wrong:
        settings.read({"LOADME_TOKEN_KEYS": "k1:eA==,k2:%", "LOADME_CHECK_MAX": "soon"}, Path("/app"))
    text = str(wrong.value)
    for name in (
        "LOADME_SUBSCRIPTION_ID",
        "LOADME_LOCATION",
        "AzureWebJobsStorage",
        "key 2",
        "16 bytes",
        "LOADME_CHECK_MAX",
    ):
        assert name in text


def test_checks_come_at_15_seconds_then_at_30_then_ever_later_up_to_two_minutes():
    assert [Policy().check_delay(number) for number in range(1, 7)] == [15, 30, 60, 120, 120, 120]
