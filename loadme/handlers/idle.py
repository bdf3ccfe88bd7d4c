"""Steps without a container: another workflow, a wait, a sleep. They are launched, checked and retried as all others are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from loadme import log
from loadme.core.context import Context
from loadme.core.engine import State
from loadme.core.events import Launch
from loadme.core.outcome import Outcome, Value
from loadme.core.state import Item
from loadme.definitions import durations, expressions
from loadme.definitions.definition import Sleep, Step
from loadme.errors import ExpressionFailed, Retryable
from loadme.handlers import children, signals
from loadme.handlers.pending import Pending
from loadme.services import Services

LONGEST = 3660 * 86_400.0
"""Seconds that a step may sleep or wait: ten years."""


def asked(step: Step, launch: Launch, seen: Context, now: datetime) -> Launch:
    """The launch with what is launched, and when it is over at the latest. Raises ExpressionFailed."""
    if step.workflow is not None:
        expressions.render_all(step.variables, seen)
        return replace(launch, kind="workflow", location="", ends_at=_after(step.timeout, now))
    if step.wait is not None:
        return replace(launch, kind="wait", location="", ends_at=_after(step.wait.timeout, now))
    return replace(launch, kind="sleep", location="", ends_at=_end_of_sleep(step.nap or Sleep(), seen, now))


def begin(services: Services, state: State, item: Item, seen: Context) -> None:
    """What follows once the launch is recorded. Again it does no harm: a run is begun once, and an answer is taken once."""
    if item.attempt.child:
        children.begin(services, state, item, seen)
    elif state.workflow.every_step[item.step].wait is not None:
        _take(services, item)


def _take(services: Services, item: Item) -> None:
    try:
        signals.take(services, item)
    except Retryable as trouble:
        # The first check comes in a moment and looks as well.
        log.warning("signal-later", run=item.run, step=item.step, why=str(trouble))


def judge(services: Services, state: State, item: Item) -> Outcome | Pending:
    """How the attempt ended, or when to look again."""
    if item.attempt.child:
        return children.judge(services, state, item)
    if state.workflow.every_step[item.step].wait is not None:
        return signals.judge(services, state, item)
    left = _left(item, services.now())
    if left > 0:
        return Pending.until(left)
    return Outcome(status="succeeded", at=services.now(), source="timer", outputs=Value(inline={}))


def _left(item: Item, now: datetime) -> float:
    return (item.attempt.ends_at - now).total_seconds() if item.attempt.ends_at else 0.0


def _after(duration: str | None, now: datetime) -> datetime | None:
    return None if duration is None else now + timedelta(seconds=min(durations.seconds(duration), LONGEST))


def _end_of_sleep(sleep: Sleep, seen: Context, now: datetime) -> datetime:
    if sleep.until is not None:
        return _moment(sleep.until, expressions.render(sleep.until, seen))
    text = sleep.duration or ""
    return now + timedelta(seconds=_seconds(text, expressions.render(text, seen)))


def _seconds(text: str, value: Any) -> float:
    try:
        seconds = durations.seconds(value if isinstance(value, str) else expressions.as_text(value))
    except ValueError as wrong:
        raise ExpressionFailed(text, str(wrong)) from None
    if seconds > LONGEST:
        raise ExpressionFailed(text, f"`{value}` is too long: a step sleeps for ten years at most")
    return seconds


def _moment(text: str, value: Any) -> datetime:
    try:
        found = msgspec.convert(value, datetime)
        return found.astimezone(UTC) if found.tzinfo else _without_zone(text, value)
    except (msgspec.ValidationError, OverflowError):
        shown = expressions.as_text(value)[:60]
        raise ExpressionFailed(text, f"`{shown}` is not a time: write it like 2026-01-31T06:00:00Z") from None


def _without_zone(text: str, value: Any) -> datetime:
    raise ExpressionFailed(text, f"`{value}` says no time zone: write a Z for UTC at its end")
