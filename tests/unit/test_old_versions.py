"""What the version before retries wrote, to the letter: it still decodes, and the run goes on from there to its end.

And what a later version will write is left alone. A row or a message here is never edited: a new version gets texts of its own.
"""

from __future__ import annotations

import json
from typing import NamedTuple

import msgspec
import pytest
from azure.functions.queue import QueueMessage

from loadme import store, triggers
from loadme.azure.storage.tables import Row
from loadme.core.ids import newest_first
from loadme.core.messages import StepCheck, StepCleanup, StepOutcome, StepRequest, decode
from loadme.core.state import Item, Run
from loadme.errors import BadMessage, Terminal
from loadme.handlers import queries
from loadme.handlers.patrol import patrol
from tests.world import HANDLERS, KINDS, SPEC, World

ID = "01q3enhrg0b54955hdwh"
FIRST, SECOND = f"lm-{ID}-first-0-1", f"lm-{ID}-second-0-1"
WORKFLOW = """
name: sample
variables: {region: westeurope}
steps: {first: {image: img, outputs: {rows: integer}}, second: {image: img, needs: [first]}}
"""
DEFINITION = "cbcc9b9ad7a6f998ffb0550a84f50628265a222b9d7f75a0fdd07e4b74e49cc4"
PINNED = (
    '{"name":"sample","variables":{"region":{"type":"string","default":"westeurope"}},'
    '"steps":{"first":{"image":"img","outputs":{"rows":"integer"}},"second":{"image":"img","needs":["first"]}}}'
)
RUN = (
    f'{{"id":"{ID}","workflow":"sample","definition":"{DEFINITION}","created_at":"2030-01-01T12:00:00Z",'
    '"variables":{"inline":{"region":"westeurope"}},"steps":{"first":{"status":"started","started_at":"2030-01-01T12:00:00Z"},"second":{}}}'
)
RUN_APPLIED = (
    f'{{"id":"{ID}","workflow":"sample","definition":"{DEFINITION}","created_at":"2030-01-01T12:00:00Z",'
    '"variables":{"inline":{"region":"westeurope"}},"steps":{"first":{"status":"succeeded","started_at":"2030-01-01T12:00:00Z",'
    '"ended_at":"2030-01-01T12:00:16Z","outputs":{"inline":{"rows":3}}},"second":{"status":"started","started_at":"2030-01-01T12:00:16Z"}}}'
)
LAUNCHED = (
    f'{{"run":"{ID}","step":"first","variables":{{"inline":{{"region":"westeurope"}}}},"attempt":{{"group":"{FIRST}",'
    '"launched_at":"2030-01-01T12:00:00Z","claim":"df6af1d8303e61cd","claimed_at":"2030-01-01T12:00:00Z","expires_at":"2030-01-01T13:40:00Z"}}'
)
CHECKED = (
    f'{{"run":"{ID}","step":"first","variables":{{"inline":{{"region":"westeurope"}}}},"attempt":{{"status":"running","group":"{FIRST}",'
    '"launched_at":"2030-01-01T12:00:00Z","claim":"df6af1d8303e61cd","claimed_at":"2030-01-01T12:00:00Z","is_deployed":true,'
    '"expires_at":"2030-01-01T13:40:00Z","started_at":"2030-01-01T12:00:00Z","checks":1,"checked_at":"2030-01-01T12:00:15Z"}}'
)
REPORTED = (
    f'{{"run":"{ID}","step":"first","variables":{{"inline":{{"region":"westeurope"}}}},"attempt":{{"status":"succeeded","group":"{FIRST}",'
    '"launched_at":"2030-01-01T12:00:00Z","claim":"df6af1d8303e61cd","claimed_at":"2030-01-01T12:00:00Z","is_deployed":true,'
    '"expires_at":"2030-01-01T13:40:00Z","started_at":"2030-01-01T12:00:00Z","ended_at":"2030-01-01T12:00:16Z","checks":1,'
    '"checked_at":"2030-01-01T12:00:15Z","cleanup":"wanted"},"outcome":{"status":"succeeded","at":"2030-01-01T12:00:16Z",'
    '"source":"callback","outputs":{"inline":{"rows":3}},"digest":"7b8b953663a9ef7e555b3630661b7292abd2d68236f8d7212ae8c9de84c3b17d"}'
)
NEXT = (
    f'{{"run":"{ID}","step":"second","variables":{{"inline":{{"region":"westeurope","rows":3}}}},"attempt":{{"group":"{SECOND}",'
    '"launched_at":"2030-01-01T12:00:16Z","claim":"c4bb86c3d1c42710","claimed_at":"2030-01-01T12:00:16Z","expires_at":"2030-01-01T13:40:16Z"}}'
)


def message(kind: str, rest: str = "", step: str = "first") -> str:
    """A message as that version wrote it."""
    return f'{{"loadme":{{"version":1,"tries":0,"message":{{"type":"{kind}","run":"{ID}","step":"{step}"{rest}}}}}}}'


REQUEST = message("StepRequest", ',"variables":{"inline":{"region":"westeurope"}}')
OUTCOME = message("StepOutcome", ',"outputs":{"inline":{"rows":3}}')


class Stage(NamedTuple):
    """What was stored, what was under way and which container groups there were, when the app was replaced by a newer one."""

    run: str
    items: dict[str, str]
    messages: dict[str, str]
    groups: tuple[str, ...] = ()


STAGES = {
    "started": Stage(RUN, {}, {StepRequest.queue: REQUEST}),
    "launched": Stage(RUN, {"first": LAUNCHED}, {StepCheck.queue: message("StepCheck")}, (FIRST,)),
    "checked": Stage(RUN, {"first": CHECKED}, {StepCheck.queue: message("StepCheck", ',"number":2')}, (FIRST,)),
    "reported": Stage(RUN, {"first": REPORTED + "}"}, {StepOutcome.queue: OUTCOME}, (FIRST,)),
    "applied": Stage(
        RUN_APPLIED,
        {"first": REPORTED + ',"applied":true}', "second": NEXT},
        {StepCleanup.queue: message("StepCleanup"), StepCheck.queue: message("StepCheck", step="second")},
        (FIRST, SECOND),
    ),
}


def upgraded(stage: Stage, *, with_messages: bool = True) -> World:
    """Today's app over what the old one left."""
    world = World(WORKFLOW)
    world.blobs.data[f"definitions/{DEFINITION}.json"] = PINNED.encode()
    rows = [Row(partition=ID, row="run", body=stage.run.encode())]
    rows += [Row(partition=ID, row=f"i~{step}~00000", body=body.encode(), columns={"open": "yes"}) for step, body in stage.items.items()]
    world.tables.write(rows)
    summary = f'{{"id":"{ID}","workflow":"sample","status":"running","created_at":"2030-01-01T12:00:00Z","ended_at":null}}'
    world.tables.write(
        [Row(partition="all", row=newest_first(ID), body=summary.encode(), columns={"workflow": "sample", "status": "running"})]
    )
    world.tables.write([Row(partition="open", row=ID, body=b'{"due":"2030-01-01T12:05:00Z"}')])
    for name in stage.groups:
        world.arm.deploy(name, SPEC, {})
    for queue, body in stage.messages.items() if with_messages else ():
        world.queues.send(queue, body)
    world.pass_time(20)
    return world


def work(world: World) -> None:
    """Every container that is there ends well, and says so in its log."""
    for name, group in list(world.arm.container_groups.items()):
        if group.state == "Pending":
            said = {"attempt": name, "status": "succeeded", "exit_code": 0, "outputs": {"rows": 3} if "-first-" in name else {}}
            world.arm.finish(name, log=f"::{json.dumps({'loadme': said})}::\n", at=world.moment)


@pytest.mark.parametrize("with_messages", [True, False], ids=["", "its messages lost"])
@pytest.mark.parametrize("stage", STAGES)
def test_a_run_of_the_version_before_goes_on_to_its_end(stage, with_messages):
    world = upgraded(STAGES[stage], with_messages=with_messages)
    for _ in range(8):
        work(world)
        world.live(0.1)

    run = store.read_run(world.tables, ID).run
    assert (run.status, run.closed >= 1, run.announced) == ("succeeded", True, True)
    assert run.steps["first"].outputs.inline == {"rows": 3}
    assert world.arm.starts == {FIRST: 1, SECOND: 1}
    assert [event["data"]["run"] for event in world.events] == [ID]
    world.assert_nothing_left()
    assert [one["status"] for one in queries.list_runs(world.services, queries.Query())["runs"]] == ["succeeded"]


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_everything_that_the_version_before_wrote_decodes_with_todays_defaults(stage):
    run = msgspec.json.decode(stage.run, type=Run)
    assert (run.version, run.generation, run.cancel, run.key, run.purged_at) == (1, 0, None, "", None)
    for body in stage.items.values():
        item = msgspec.json.decode(body, type=Item)
        assert (item.version, item.generation, item.past, item.spent, item.retry, item.attempt.number) == (1, 0, (), {}, None, 1)
    for queue, body in stage.messages.items():
        assert type(decode(body).message) is KINDS[queue]


@pytest.mark.parametrize("row", ["run", "i~first~00000"])
def test_a_row_of_a_later_version_is_left_as_it_is_and_says_what_to_do(row):
    world = upgraded(STAGES["checked"])
    there = world.tables.rows[ID, row]
    later = json.dumps({**json.loads(there.body), "version": 2, "unheard_of": True}).encode()
    world.tables.write([Row(partition=ID, row=row, body=later, columns=there.columns, etag="*")])
    before = {key: found.body for key, found in world.tables.rows.items() if key[0] == ID}
    world.pass_time(600)

    body = QueueMessage(id="1", body=message("StepCheck", ',"number":2'))
    with pytest.raises(Terminal, match="deploy the newer app again"):
        triggers.handle(world.services, body, HANDLERS[StepCheck.queue], StepCheck)
    patrol(world.services)

    assert {key: found.body for key, found in world.tables.rows.items() if key[0] == ID} == before
    assert [found.row for found in world.tables.list("open")] == [ID]
    assert set(world.arm.container_groups) == {FIRST}


def test_a_message_of_a_later_version_goes_to_the_poison_queue_at_once_and_changes_nothing():
    world = upgraded(STAGES["checked"], with_messages=False)
    before = dict(world.tables.rows)
    body = message("StepCheck", ',"number":2').replace('"version":1', '"version":2')
    with pytest.raises(BadMessage, match="version 2"):
        decode(body)

    triggers.handle(world.services, QueueMessage(id="1", body=body), HANDLERS[StepCheck.queue], StepCheck)

    assert [(one.queue, one.body) for one in world.queues.sent] == [(f"{StepCheck.queue}-poison", body)]
    assert world.tables.rows == before
