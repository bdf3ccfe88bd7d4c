"""What holds of names, tokens, merging, claim checks, messages and retries, whatever they are given."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from loadme import claims
from loadme.core import ids, retries, tokens
from loadme.core.ids import AttemptId
from loadme.core.messages import Message, Notify, StepCheck, StepCleanup, StepOutcome, StepRequest, decode, encode
from loadme.core.outcome import SHORT, Error, Outcome, Value
from loadme.core.state import Attempt, Item
from loadme.definitions import durations, variables
from loadme.definitions.definition import Retry, Step, Variable, Workflow
from loadme.errors import BadMessage, Terminal
from tests.fakes.blobs import FakeBlobs

always = settings(derandomize=True, deadline=None, max_examples=150)
NOW = datetime(2030, 1, 1, tzinfo=UTC)
KEYS = {"k1": b"sixteen or more bytes of key"}

run_ids = st.text(ids.ALPHABET, min_size=20, max_size=20)
step_names = st.from_regex(r"[a-z0-9](?:-?[a-z0-9]){0,27}", fullmatch=True).filter(lambda name: len(name) <= 28)
attempts = st.builds(AttemptId, run_ids, step_names, st.integers(0, 99_999), st.integers(1, 999))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(max_size=8), json_values, max_size=4)
moments = st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 (bounds are naive there)


@always
@given(attempts, attempts)
def test_two_attempts_never_have_one_id_and_an_id_gives_its_parts_back(one, other):
    assert (str(one) == str(other)) == (one == other)
    assert len(str(one)) <= 63
    assert ids.parse_attempt(str(one)) == one


@always
@given(
    run_ids,
    st.text("ab-01", min_size=1, max_size=6),
    st.sampled_from(["0", "00", "7", "007", "99999"]),
    st.sampled_from(["1", "01", "0", "9"]),
)
def test_an_id_has_one_spelling_and_a_step_that_ends_like_an_item_is_told_from_it(run, step, item, attempt):
    text = f"lm-{run}-{step}-{item}-{attempt}"
    parts = ids.parse_attempt(text)
    assert parts is None or (str(parts), parts.item, parts.attempt) == (text, int(item), int(attempt))


@always
@given(run_ids, run_ids)
def test_the_listing_has_the_newest_first_and_its_keys_lead_back(one, other):
    assert (ids.newest_first(one) < ids.newest_first(other)) == (one > other)
    assert ids.newest_first(ids.newest_first(one)) == one


@always
@given(moments, st.binary(min_size=8, max_size=8))
def test_a_run_id_says_when_its_run_was_made(moment, chance):
    run = ids.new_run_id(moment, lambda _: chance)
    assert ids.is_run_id(run)
    assert timedelta() <= moment - ids.created_at(run) < timedelta(milliseconds=2)
    assert ids.earliest(moment) <= run


@always
@given(attempts, st.integers(1, 10**6))
def test_a_token_is_good_until_it_expires_and_for_its_own_attempt_only(attempt, seconds):
    expires = NOW + timedelta(seconds=seconds)
    token = tokens.sign(KEYS, str(attempt), expires)
    assert tokens.verify(KEYS, token, str(attempt), expires - timedelta(seconds=1))
    assert not tokens.verify(KEYS, token, str(attempt), expires)
    assert not tokens.verify(KEYS, token, str(attempt._replace(item=(attempt.item + 1) % 1000)), NOW)
    assert not tokens.verify({"k1": b"another key of the same length"}, token, str(attempt), NOW)


@always
@given(st.data())
def test_a_token_that_was_tampered_with_is_refused_and_never_raises(data):
    token = tokens.sign(KEYS, "lm-x", NOW + timedelta(hours=1))
    at = data.draw(st.integers(0, len(token) - 1))
    other = token[:at] + data.draw(st.text(max_size=2)) + token[at + data.draw(st.integers(0, 2)) :]
    assume(other != token)
    assert not tokens.verify(KEYS, other, "lm-x", NOW)


@always
@given(st.text(max_size=300))
def test_no_text_is_a_token(text):
    assert not tokens.verify(KEYS, text, "lm-x", NOW)


names = st.sampled_from(["a", "A", "b", "region"])


@always
@given(
    st.dictionaries(names, st.integers(), max_size=2),
    st.dictionaries(st.sampled_from(["one", "two", "three"]), st.dictionaries(names, st.integers(), max_size=2)),
    st.randoms(use_true_random=False),
)
def test_outputs_overlay_variables_the_same_whatever_finished_first(start, outputs, random):
    workflow = Workflow(
        name="w",
        variables={name: Variable(default=0) for name in start},
        steps={
            "two": Step(image="i"),
            "one": Step(image="i"),
            "three": Step(image="i", needs=("one",)),
            "join": Step(image="i", needs=("two", "three")),
        },
    )
    shuffled = list(outputs.items())
    random.shuffle(shuffled)
    given_outputs = {"one": {}, "two": {}, "three": {}, **outputs}
    other_order = {**dict(shuffled), **{name: given_outputs[name] for name in ("three", "two", "one")}}
    merged = variables.overlay(workflow, start, given_outputs, "join")
    assert merged == variables.overlay(workflow, start, other_order, "join")
    for name in (name for name in given_outputs["three"] if sum(other.lower() == name.lower() for other in given_outputs["three"]) == 1):
        # What comes later in the graph counts: `three` comes after `one`, and `two` stands before both.
        assert {key.lower(): value for key, value in merged.items()}[name.lower()] == given_outputs["three"][name]


@always
@given(objects, st.integers(-2, 2))
def test_what_is_kept_is_read_again_whether_it_lies_in_place_or_in_a_blob(values, more):
    blobs, limit = FakeBlobs(), len(json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode()) + more
    kept = claims.keep(blobs, "runs/x/outputs", values, max(limit, 0))
    assert claims.read(blobs, kept) == values
    assert (kept.inline is None) == bool(blobs.data)
    assert kept == claims.keep(blobs, "runs/x/outputs", values, max(limit, 0))


@pytest.mark.parametrize(("length", "blobs_used"), [(claims.IN_MESSAGE - 8, 0), (claims.IN_MESSAGE - 7, 1)])
def test_the_limit_of_a_message_is_exact(length, blobs_used):
    blobs = FakeBlobs()
    kept = claims.keep(blobs, "v", {"x": "x" * length}, claims.IN_MESSAGE)
    assert len(blobs.data) == blobs_used
    assert claims.read(blobs, kept) == {"x": "x" * length}
    body = encode(StepRequest(run="0" * 20, step="s" * 28, variables=kept))
    assert len(base64.b64encode(body.encode())) <= 64 * 1024


@always
@given(objects, st.data())
def test_a_blob_that_was_changed_is_refused(values, data):
    blobs = FakeBlobs()
    kept = claims.keep(blobs, "v", values, 0)
    name, there = next(iter(blobs.data.items()))
    at = data.draw(st.integers(0, len(there) - 1))
    blobs.data[name] = there[:at] + data.draw(st.binary(max_size=2)) + there[at + 1 :]
    assume(blobs.data[name] != there)
    with pytest.raises(Terminal, match="was changed"):
        claims.read(blobs, kept)


values = st.builds(Value, inline=objects) | st.builds(Value, blob=st.text(max_size=9), digest=st.text(max_size=9))
addresses = {"run": run_ids, "step": step_names, "item": st.integers(0, 99_999)}
of_attempts = {**addresses, "attempt": st.integers(1, 999)}
numbered = {**of_attempts, "number": st.integers(1, 9999)}
generations, receivers = st.integers(0, 9), st.sampled_from(["queue", "webhook"])
MESSAGES: dict[type, st.SearchStrategy[Message]] = {
    StepRequest: st.builds(StepRequest, **addresses, generation=generations, variables=values),
    StepOutcome: st.builds(StepOutcome, **of_attempts, outputs=values | st.none()),
    StepCheck: st.builds(StepCheck, **numbered),
    StepCleanup: st.builds(StepCleanup, **numbered),
    Notify: st.builds(Notify, **{**addresses, "step": st.just("") | step_names}, generation=generations, to=receivers),
}


def test_every_type_of_message_is_tried_here():
    assert set(MESSAGES) == set(Message.__args__)


@pytest.mark.parametrize("kind", MESSAGES)
@always
@given(data=st.data(), tries=st.integers(0, 99))
def test_a_message_comes_back_as_it_was_sent(kind, data, tries):
    message = data.draw(MESSAGES[kind])
    found = decode(encode(message, tries))
    assert (found.message, found.tries) == (message, tries)
    assert list(json.loads(encode(message))) == ["loadme"]


@always
@given(st.sampled_from(list(MESSAGES)).flatmap(MESSAGES.get), st.integers().filter(lambda version: version != 1))
def test_a_message_of_another_version_is_bad_and_says_so(message, version):
    body = json.loads(encode(message))
    body["loadme"]["version"] = version
    with pytest.raises(BadMessage):
        decode(json.dumps(body))


@always
@given(
    st.binary(max_size=50) | st.text(max_size=50) | json_values.map(json.dumps) | objects.map(lambda found: json.dumps({"loadme": found}))
)
def test_junk_is_a_bad_message_and_nothing_else(body):
    with pytest.raises(BadMessage):
        decode(body)


@always
@given(st.sampled_from(list(MESSAGES)).flatmap(MESSAGES.get), st.data())
def test_a_message_that_was_cut_or_changed_is_read_or_is_bad_and_nothing_else(message, data):
    body = encode(message).encode()
    at = data.draw(st.integers(0, len(body) - 1))
    changed = body[:at] + data.draw(st.binary(max_size=2)) + body[at + data.draw(st.integers(0, len(body))) :]
    try:
        assert decode(changed).version == 1
    except BadMessage as bad:
        assert str(bad)  # noqa: PT017 (either is right; anything else that is raised is not)


kinds = st.sampled_from(
    ["failed", "exit_code", "timed_out", "heartbeat", "image", "outputs", "infrastructure", "capacity", "quota", "refused", "own"]
)
rules = st.builds(
    Retry,
    attempts=st.integers(1, 5),
    delay=st.sampled_from(["1s", "30s", "2h"]),
    factor=st.floats(1.0, 10.0),
    max_delay=st.sampled_from(["1s", "10m", "1d"]),
    jitter=st.sampled_from(["full", "none"]),
    on=st.lists(kinds, max_size=3).map(tuple),
    infrastructure=st.integers(0, 4),
    capacity=st.integers(0, 3),
)


def tried(kind: str, item: Item, rule: Retry, places: tuple[str, ...], chance: float) -> tuple[Item, object]:
    """The item after a failure of this kind, and the try that follows."""
    outcome = Outcome(status="timed_out" if kind == "timed_out" else "failed", at=NOW, error=Error(kind=kind, message="m" * 1000))
    spent = Item(run="r", step="s", variables=Value(), attempt=item.attempt, spent=retries.spent(item, outcome))
    return spent, retries.next_try(spent, outcome, rule, places, NOW, chance)


@always
@given(rules, st.lists(kinds, max_size=25), st.sampled_from([(), ("a",), ("a", "b")]), st.floats(0, 1))
def test_the_next_try_comes_within_its_delay_and_never_over_its_budget(rule, failures, places, chance):
    item = Item(run="r", step="s", variables=Value(), attempt=Attempt(launched_at=NOW, expires_at=NOW))
    granted = {"work": 0, "infrastructure": 0, "capacity": 0, "quota": 0}
    for kind in failures:
        before = item.spent.get("work", 0)
        item, following = tried(kind, item, rule, places, chance)
        budget = retries.budget(kind)
        assert item.spent.get("work", 0) == before + (budget == "work")
        if following is None:
            continue
        granted[budget] += 1
        most = durations.seconds(rule.max_delay) if budget == "work" else retries.PLATFORM_DELAY[budget][1]
        assert timedelta() <= following.at - NOW <= timedelta(seconds=most)
        assert len(following.why) <= SHORT
    assert granted["work"] <= rule.attempts - 1
    assert granted["infrastructure"] <= rule.infrastructure
    assert granted["capacity"] <= (rule.capacity + 1) * max(1, len(places))
    assert rule.capacity or not granted["capacity"]
    assert granted["quota"] == failures.count("quota")


@always
@given(rules, kinds, st.floats(0, 1))
def test_what_the_rule_does_not_name_is_not_tried_again_and_what_is_hopeless_never(rule, kind, chance):
    item = Item(run="r", step="s", variables=Value(), attempt=Attempt(launched_at=NOW, expires_at=NOW))
    _, following = tried(kind, item, rule, (), chance)
    if kind == "refused" or (retries.budget(kind) == "work" and not {kind, "failed"} & set(rule.on)):
        assert following is None
