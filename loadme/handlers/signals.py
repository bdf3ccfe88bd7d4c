"""signal (HTTP): the answer to a step that waits for a person or another system.

The answer is stored in a row of its own before anything else is done, so that one which comes before its step waits is kept: whoever
launches the step writes the item and then reads the row, and whoever answers writes the row and then looks for the item.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from loadme import log, store, transaction
from loadme.azure.storage.tables import NEW, Row
from loadme.core import engine, runs, secrets
from loadme.core.engine import State
from loadme.core.ids import AttemptId
from loadme.core.outcome import Error, Outcome
from loadme.core.state import MOST_PAST, OPEN_STEP, Item
from loadme.definitions.problems import nearest, printable
from loadme.errors import Conflict, Rejected
from loadme.handlers import outcomes
from loadme.handlers.pending import Pending
from loadme.handlers.queries import find_run
from loadme.services import Services

LONGEST_NAME = 200
OWN_BYTES = 8
TRIES = 5
"""Answers to one step that may come at the same moment."""


class Answer(Struct, frozen=True, kw_only=True):
    """What somebody says: `body` are the outputs of the step, `by` is who says it."""

    run: str
    step: str
    body: Mapping[str, Any] = {}
    by: str = ""


class Signal(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An answer as it is stored: the outcome that it is for whichever attempt waits for it.

    The outcome's digest is that of the body, a dash, and something that no other answer has: the same body may be the answer again when
    the step is asked again.
    """

    version: int = 1
    outcome: Outcome


def signal(services: Services, answer: Answer) -> str:
    """`accepted` if the step has its outcome by this, `kept` if it does not wait yet. The same answer again is no other one.

    Raises Rejected: 404 for the run or the step, 409 if the step does not wait for answers, is over or was answered otherwise, 422 naming
    each output that is not what the step declares.
    """
    state = _found(services, answer)
    said = msgspec.json.encode(answer.body, order="sorted")
    key = next(iter(services.settings.token_keys.values()))
    digest = secrets.digest(state.workflow.every_step[answer.step], said, key) + "-"
    item = engine.current(state, answer.step, 0)
    if item is not None and item.outcome is not None:
        found = _known(answer.step, item.outcome, digest)
        transaction.perform_due(services, state)  # its message is sent again, so that none is lost
        return found
    _check_open(state, answer)
    outcome = outcomes.succeeded(services, state, _attempt(state, answer), answer.body, "signal")
    outcome = replace(outcome, by=printable(answer.by[:LONGEST_NAME]), digest=digest + services.random_bytes(OWN_BYTES).hex())
    row = _kept(services, answer, state, outcome)
    log.info("signal", run=answer.run, step=answer.step)
    return _given(services, answer, row)


def take(services: Services, item: Item) -> None:
    """Gives the item the answer that came before it waited, if one did."""
    found = _unused(services, item)
    if found is not None:
        after, _ = transaction.report(services, item.attempt_id, replace(found.outcome, at=services.now()))
        transaction.perform_due(services, after)


def judge(services: Services, state: State, item: Item) -> Outcome | Pending:
    """The answer, if one has come; else what the step's time-out makes of it, or when to look again."""
    found = _unused(services, item)
    now, ends_at = services.now(), item.attempt.ends_at
    if found is not None:
        return replace(found.outcome, at=now)
    if ends_at is None or now < ends_at:
        return Pending.until((ends_at - now).total_seconds() if ends_at else float("inf"))
    return _timed_out(services, state, item, now)


def _timed_out(services: Services, state: State, item: Item, now: datetime) -> Outcome:
    wait = state.workflow.every_step[item.step].wait
    if wait is None or wait.default is None:
        message = f"nobody answered within {wait.timeout if wait else 'its time'}"
        hint = f"`loadme resume {item.run}` waits once more; `default` gives a wait outputs of its own when nobody answers"
        return Outcome(status="timed_out", at=now, source="timer", error=Error(kind="timed_out", message=message, hint=hint))
    try:
        return outcomes.succeeded(services, state, item.attempt_id, wait.default, "timer")
    except Rejected as wrong:
        return outcomes.bad_outputs(services, wrong, "timer")


def _found(services: Services, answer: Answer) -> State:
    """The run and the item of an answer. Raises Rejected if there is no such step, or it is none that waits."""
    run = find_run(services, answer.run)
    steps = services.definitions.get(run.definition).every_step
    if answer.step not in steps:
        waits = [name for name, step in steps.items() if step.wait is not None]
        hint = nearest(answer.step, waits) or (f"steps that wait: {', '.join(waits)}" if waits else "no step of it waits")
        raise Rejected(404, "Unknown step", f"the run {run.id} has no step {printable(answer.step[:60])!r}: {hint}")
    if steps[answer.step].wait is None:
        raise Rejected(409, "Not a step that waits", f"the step {answer.step} has no `wait`: it takes no answers")
    return transaction.load(services, run.id, (answer.step, 0)).state


def _check_open(state: State, answer: Answer) -> None:
    run, step = state.run, state.run.steps[answer.step]
    if run.is_over:
        raise Rejected(409, "The run is over", f"the run {run.id} is {run.status}: nothing of it waits any more")
    if step.status not in OPEN_STEP:
        raise Rejected(409, "The step is over", f"the step {answer.step} is {step.status} already: it waits for no answer")
    if step.status == "started" and runs.is_stopped(run, answer.step):
        raise Rejected(409, "The run is being stopped", f"the run {run.id} is being stopped: its step {answer.step} waits no more")


def _known(step: str, outcome: Outcome, digest: str) -> str:
    if outcome.source == "signal" and _is_same(outcome.digest, digest):
        return "accepted"
    who = f" by {outcome.by}" if outcome.by else ""
    how = f"was answered otherwise{who}" if outcome.source == "signal" else f"has {outcome.status} already"
    raise Rejected(409, "Too late", f"the step {step} {how}: another answer changes nothing")


def _kept(services: Services, answer: Answer, state: State, outcome: Outcome) -> Row:
    """The row with the answer. Raises Rejected(409) if there is another one that no attempt has taken yet: the first one counts."""
    for _ in range(TRIES):
        row = services.tables.read(answer.run, store.signal_row(answer.step))
        stored = _decoded(row) if row else None
        if row is not None and stored is not None and not _is_used(state.items.get((answer.step, 0)), stored):
            _known(answer.step, stored.outcome, outcome.digest)
            return row
        with suppress(Conflict):
            return _written(services, answer, outcome, row.etag if row else NEW)
    raise Conflict(f"the step {answer.step} is being answered by others at the same moment")


def _written(services: Services, answer: Answer, outcome: Outcome, etag: str) -> Row:
    body = msgspec.json.encode(Signal(outcome=outcome))
    row = Row(partition=answer.run, row=store.signal_row(answer.step), body=body, etag=etag)
    (written,) = services.tables.write([row])
    return dataclasses.replace(row, etag=written)


def _given(services: Services, answer: Answer, row: Row) -> str:
    """Reports the stored answer for the item, if it waits."""
    state = transaction.load(services, answer.run, (answer.step, 0)).state
    item, stored = engine.current(state, answer.step, 0), _decoded(row).outcome
    if item is None:
        return "kept"
    after, _ = transaction.report(services, item.attempt_id, replace(stored, at=services.now()))
    transaction.perform_due(services, after)
    now = engine.current(after, answer.step, 0)
    if now is None or now.outcome is None:
        return "kept"
    try:
        return _known(answer.step, now.outcome, stored.digest)
    except Rejected:
        # Whoever is told that the answer came too late must not find it used after a resume.
        with suppress(Conflict):
            services.tables.delete(row.partition, row.row, row.etag)
        raise


def _attempt(state: State, answer: Answer) -> AttemptId:
    """The attempt that waits, or the next one."""
    known = state.items.get((answer.step, 0))
    number = 1 if known is None else known.attempt.number + (known.outcome is not None)
    return AttemptId(state.run.id, answer.step, 0, number)


def _unused(services: Services, item: Item) -> Signal | None:
    row = services.tables.read(item.run, store.signal_row(item.step))
    found = _decoded(row) if row else None
    return None if found is None or _is_used(item, found) else found


def _is_used(item: Item | None, stored: Signal) -> bool:
    """Whether an attempt has ended by this answer: one that asks again after a resume needs an answer of its own."""
    if item and len(item.past) >= MOST_PAST and stored.outcome.at < item.past[0].attempt.launched_at:
        return True  # by one that is forgotten, or the first that is remembered would have taken it
    ends = [one.outcome for one in item.past] if item else []
    if item and item.outcome:
        ends.append(item.outcome)
    return any(one.source == "signal" and one.digest == stored.outcome.digest for one in ends)


def _is_same(one: str, other: str) -> bool:
    return one.partition("-")[0] == other.partition("-")[0]


def _decoded(row: Row) -> Signal:
    return msgspec.json.decode(row.body, type=Signal)
