"""Ways to break the parts of the engine that the whole language needs: the simulation must catch each of them."""

from __future__ import annotations

from dataclasses import replace as with_changes
from typing import Any

import pytest
from msgspec.structs import replace

from loadme import transaction
from loadme.core import endings, engine, lanes, runs, slots
from loadme.handlers import children, collect, expand, groups, signals

Patch = pytest.MonkeyPatch


def a_lane_skips_an_item(patch: Patch) -> None:
    real = lanes.passed

    def passed(run: Any, lane: Any, item: Any) -> Any:
        after, step = real(run, lane, item), run.steps[lane.step].map
        behind = after.item + step.lanes
        return replace(after, item=behind, is_over=after.is_over or behind >= step.count)

    patch.setattr(lanes, "passed", passed)


def a_lane_does_an_item_again(patch: Patch) -> None:
    real = lanes.passed
    patch.setattr(lanes, "passed", lambda run, lane, item: replace(real(run, lane, item), item=item.item, is_over=False))


def outputs_in_another_order(patch: Patch) -> None:
    real = collect._lists
    patch.setattr(collect, "_lists", lambda declared, outputs: real(declared, outputs[::-1]))


def a_cancel_stops_finally(patch: Patch) -> None:
    patch.setattr(runs, "is_forced", lambda run: run.cancel is not None)


def a_failure_that_was_handled_fails_the_run(patch: Patch) -> None:
    patch.setattr(endings, "is_trouble", lambda step, _steps: step.status in ("failed", "cancelled"))


def a_catch_takes_every_kind(patch: Patch) -> None:
    patch.setattr(endings, "is_meant", lambda _on, _kind: True)


def what_was_skipped_succeeded(patch: Patch) -> None:
    real = endings.endings
    patch.setattr(endings, "endings", lambda step: ("succeeded",) if step.status == "skipped" else real(step))


def a_child_is_not_cancelled(patch: Patch) -> None:
    patch.setattr(children, "_cancel", lambda *_: None)


def an_early_answer_is_lost(patch: Patch) -> None:
    patch.setattr(signals, "_unused", lambda *_: None)


def a_group_admits_two(patch: Patch) -> None:
    patch.setattr(groups, "_held_by", lambda *_: None)


def the_youngest_in_line_is_next(patch: Patch) -> None:
    def last_in_line(services: Any, group: str) -> Any:
        rows = services.tables.list(groups.partition(group), first=groups.WAITERS[0], before=groups.WAITERS[1])
        waiting = [groups._find(services, row.row.removeprefix(groups.WAITERS[0])) for row in rows]
        return next((run for run in reversed(waiting) if run is not None and run.status == "queued"), None)

    patch.setattr(groups, "_first_in_line", last_in_line)


def one_failure_more_is_tolerated(patch: Patch) -> None:
    real = expand.tolerated
    patch.setattr(expand, "tolerated", lambda step, count: real(step, count) + 1)


def what_a_resume_keeps_is_done_again(patch: Patch) -> None:
    patch.setattr(engine, "is_kept", lambda *_: False)


def nobody_counts_the_slots(patch: Patch) -> None:
    patch.setattr(slots, "room", lambda *_: slots.Room(None, 0))


def the_run_has_all_the_time_in_the_world(patch: Patch) -> None:
    patch.setattr(runs, "deadline", lambda *_: None)


def each_item_is_given_the_first_value(patch: Patch) -> None:
    real = expand.value
    patch.setattr(expand, "value", lambda services, expansion, _index: real(services, expansion, 0))


def a_deployment_changes_what_runs(patch: Patch) -> None:
    """A run has the definition that its workflow has now."""
    real = transaction.load

    def load(services: Any, run: str, *keys: Any, **more: Any) -> Any:
        loaded = real(services, run, *keys, **more)
        now = services.catalogue.workflows.get(loaded.state.run.workflow)
        is_like_it = now is not None and set(now.every_step) == set(loaded.state.run.steps)
        return with_changes(loaded, state=with_changes(loaded.state, workflow=now)) if is_like_it else loaded

    patch.setattr(transaction, "load", load)


SABOTAGES_OF_THE_LANGUAGE = [
    a_lane_skips_an_item,
    a_lane_does_an_item_again,
    outputs_in_another_order,
    a_cancel_stops_finally,
    a_failure_that_was_handled_fails_the_run,
    a_catch_takes_every_kind,
    what_was_skipped_succeeded,
    a_child_is_not_cancelled,
    an_early_answer_is_lost,
    a_group_admits_two,
    the_youngest_in_line_is_next,
    one_failure_more_is_tolerated,
    what_a_resume_keeps_is_done_again,
    nobody_counts_the_slots,
    the_run_has_all_the_time_in_the_world,
    each_item_is_given_the_first_value,
    a_deployment_changes_what_runs,
]
