"""Slots, and what becomes of a run by its `for_each` steps: lanes that open and close, failures that are tolerated, a resume."""

from __future__ import annotations

from typing import Any

import pytest

from loadme.core import expansions, runs
from loadme.core.events import Announced, Cancel, Collected, Expand, Resume
from loadme.core.outcome import Error, Value
from loadme.core.state import Lane
from loadme.definitions.definition import Catch, Sleep, Wait
from tests.unit.run_plays import Play, a_lane, a_step, a_workflow, expanded, slots_used, statuses


def a_map(*needs: str, **more: Any) -> Any:
    return a_step(*needs, for_each=[1], **more)


def expanded_play(count: int = 10, lanes: int = 3, tolerated: int = 0, **more: Any) -> Play:
    """A run of one map, whose values are known, and of a step behind it."""
    step = a_map(**{name: more.pop(name) for name in ("catch", "on_error") if name in more})
    play = Play(a_workflow({"each": step, "b": a_step("each")}, **more))
    assert play.expands("each", count, lanes, tolerated)
    return play


def seen(play: Play, *numbers: int, ending: str = "succeeded", **more: Any) -> bool:
    return play.sees("each", *(a_lane("each", play.run.steps["each"], number, ending, **more) for number in numbers))


# Slots


def test_steps_begin_only_when_there_is_a_slot_for_them_and_the_first_in_order_first():
    play = Play(a_workflow({"a": a_step(), "b": a_step(), "c": a_step(workflow="other", image=None)}, max_parallel=2))
    assert statuses(play.run) == {"a": "started", "b": "started", "c": "pending"}

    assert statuses(play.ends_with("b").run) == {"a": "started", "b": "succeeded", "c": "started"}


def test_a_step_that_waits_or_sleeps_takes_no_slot():
    steps = {"a": a_step(), "b": a_step(image=None, wait=Wait()), "c": a_step(image=None, sleep=Sleep(duration="1h")), "d": a_step()}

    play = Play(a_workflow(steps, max_parallel=1))

    assert statuses(play.run) == {"a": "started", "b": "started", "c": "started", "d": "pending"}


def test_steps_of_finally_keep_to_the_slots_too():
    play = Play(a_workflow({"a": a_step()}, {"x": a_step(), "y": a_step()}, max_parallel=1)).ends_with("a")

    assert {name: play.run.steps[name].status for name in "xy"} == {"x": "started", "y": "pending"}
    assert play.ends_with("x").ends_with("y").run.status == "succeeded"


def test_lanes_open_as_far_as_there_are_slots_and_more_of_them_when_some_are_free_again():
    play = Play(a_workflow({"a": a_step(), "each": a_map()}, max_parallel=3))
    play.expands("each", 10, 5)
    assert play.run.steps["each"].map.opened == 2

    play.ends_with("a")
    assert (play.run.steps["each"].map.opened, slots_used(play.workflow, play.run)) == (3, 3)
    assert seen(play, 0, 1)

    assert (play.run.steps["each"].map.opened, play.run.steps["each"].map.closed, slots_used(play.workflow, play.run)) == (5, 2, 3)


def test_a_step_waits_for_the_slot_of_a_lane():
    play = Play(a_workflow({"each": a_map(), "b": a_step(on_error="continue")}, max_parallel=2))
    play.expands("each", 4, 2)
    assert play.run.steps["b"].status == "started", "it began before the values were known"

    other = Play(a_workflow({"first": a_step(), "each": a_map(), "b": a_step("first")}, max_parallel=2))
    other.expands("each", 4, 2)
    assert statuses(other.ends_with("first").run)["b"] == "pending"
    assert seen(other, 0)
    assert statuses(other.run)["b"] == "started"


def test_without_a_limit_all_lanes_are_open_at_once():
    assert expanded_play(10, 7).run.steps["each"].map.opened == 7


# Expand


def test_values_are_taken_once_and_only_of_this_generation():
    play = expanded_play()
    before = play.run

    assert not play.expands("each", 3, 3)
    assert not play.happens(Expand(step="each", generation=1, expansion=expanded(3, 3)))
    assert play.run == before


def test_values_that_cannot_be_worked_out_fail_the_step_and_a_catch_counts():
    error = Expand(step="each", generation=0, error=Error(kind="expression", message="m"))
    play, caught = Play(a_workflow({"each": a_map()})), Play(a_workflow({"each": a_map(catch=(Catch(outputs={"n": 1}),))}))

    assert play.happens(error)
    assert caught.happens(error)

    assert (play.run.status, play.run.error.kind, play.run.error.step) == ("failed", "expression", "each")
    assert (caught.run.status, caught.run.steps["each"].outputs) == ("succeeded", Value(inline={"n": 1}))


def test_a_map_whose_if_is_false_is_skipped_and_one_that_is_to_stop_is_cancelled():
    play, other = Play(a_workflow({"each": a_map()})), Play(a_workflow({"each": a_map()}))
    other.happens(Cancel())

    play.happens(Expand(step="each", generation=0))
    other.happens(Expand(step="each", generation=0, error=Error(kind="cancelled", message="m")))

    assert statuses(play.run) == {"each": "skipped"}
    assert (statuses(other.run), other.run.status) == ({"each": "cancelled"}, "cancelled")


def test_a_map_without_items_succeeds_as_soon_as_it_is_collected():
    play = expanded_play(0, 0)

    assert play.collects("each")

    assert statuses(play.run) == {"each": "succeeded", "b": "started"}


# LanesSeen and Collected


def test_the_run_is_written_for_lanes_only_when_all_are_over():
    play = expanded_play()

    assert not seen(play, 0)
    assert not play.collects("each")
    assert not seen(play, 0, 1)
    assert seen(play, 0, 1, 2)
    assert not seen(play, 0, 1, 2)

    found = play.run.steps["each"].map
    assert (found.closed, found.succeeded, found.failed) == (3, 10, 0)
    assert play.collects("each")
    assert not play.collects("each")
    assert (play.run.steps["each"].status, play.run.steps["each"].outputs) == ("succeeded", Value(inline={"items": []}))


def test_lanes_of_an_older_generation_and_older_looks_change_nothing():
    play = expanded_play(max_parallel=3)
    assert seen(play, 0, 1)

    assert not seen(play, 0)
    assert not seen(play, 0, 1, 2, generation=7)
    assert not seen(play, 0, ending="failed"), "older than what is known"


def test_a_map_with_more_failures_than_it_tolerates_opens_no_lane_and_names_the_first_item_that_failed():
    play = expanded_play(100, 10, tolerated=1, max_parallel=4)
    lanes = [Lane(run="r", step="each", lane=number, item=number, failed=1, error=Error(kind="too-late", message="gone", item=item))
             for number, item in ((0, 50), (1, 17))]  # fmt: skip
    assert not play.sees("each", lanes[0]), "that many are tolerated"

    assert play.sees("each", *lanes)

    found = play.run.steps["each"].map
    assert (found.is_failing, found.opened, found.closed) == (True, 4, 0)
    assert not play.collects("each"), "four lanes are still at work"
    over = [Lane(run="r", step="each", lane=number, item=number, is_over=True, succeeded=1) for number in range(4)]
    over[:2] = [Lane(run="r", step="each", lane=one.lane, item=one.item, is_over=True, failed=1, error=one.error) for one in lanes]
    assert play.sees("each", *over)
    assert play.run.steps["each"].map.opened == 4
    play.collects("each")
    error = play.run.steps["each"].error
    assert (play.run.status, error.kind, error.item, error.step) == ("failed", "too-late", 17, "each")
    assert error.message == "item 17 (from 0) of 100 failed: gone; 2 of 100 items failed, 1 are tolerated"


def test_failures_that_are_tolerated_do_no_harm():
    play = expanded_play(3, 3, tolerated=1)
    step = play.run.steps["each"]

    play.sees("each", a_lane("each", step, 0), a_lane("each", step, 1, "exit_code"), a_lane("each", step, 2, "skipped"))
    play.collects("each")

    assert (play.run.steps["each"].status, play.run.steps["each"].error, play.run.steps["b"].status) == ("succeeded", None, "started")


def test_a_map_that_is_stopped_is_over_with_its_open_lanes_and_cancelled_unless_all_its_items_were_over():
    play, other = expanded_play(10, 5, max_parallel=2), expanded_play(2, 2)
    for one in (play, other):
        one.happens(Cancel())

    assert seen(play, 0, 1)
    assert play.run.steps["each"].map.opened == 2
    assert seen(other, 0, 1)

    assert play.collects("each")
    assert other.collects("each")
    assert (play.run.steps["each"].status, play.run.status) == ("cancelled", "cancelled")
    assert other.run.steps["each"].status == "succeeded"


@pytest.mark.parametrize("how", ["continue", "outputs", "tolerated"])
def test_the_failure_of_a_map_is_handled_as_that_of_any_step(how):
    given = {"continue": {"on_error": "continue"}, "outputs": {"catch": (Catch(on=("exit_code",), outputs={"n": 1}),)}, "tolerated": {}}
    play = expanded_play(2, 2, tolerated=2 if how == "tolerated" else 0, **given[how])

    seen(play, 0, 1, ending="exit_code")
    play.collects("each")

    assert (play.run.steps["each"].handled, play.run.steps["b"].status) == ("" if how == "tolerated" else how, "started")


def test_outputs_that_cannot_be_gathered_fail_the_step():
    play = expanded_play(2, 2)
    seen(play, 0, 1)

    play.happens(Collected(step="each", generation=0, error=Error(kind="outputs", message="too much")))

    assert (play.run.status, play.run.error.kind) == ("failed", "outputs")


# Resume


def failed_play() -> Play:
    play = expanded_play(10, 3, tolerated=1)
    seen(play, 0, 1, 2, ending="exit_code")
    play.collects("each")
    play.happens(Announced(0))
    assert play.run.status == "failed"
    return play


def test_a_map_that_failed_is_resumed_with_its_values_and_keeps_what_succeeded():
    play = failed_play()

    play.happens(Resume())

    step = play.run.steps["each"]
    assert (step.status, step.generation, step.map.keeps, step.map.count, step.map.opened, step.map.closed) == (
        "started",
        1,
        True,
        10,
        3,
        0,
    )
    assert (step.map.tolerated, step.map.failed, step.map.error, step.map.is_failing) == (1, 0, None, False)
    assert not expansions.are_over(step.map, is_stopped=False)
    assert not play.expands("each", 3, 3)


@pytest.mark.parametrize("given", [{"start": "each"}, {"variables": Value(inline={"day": "monday"})}])
def test_a_map_is_expanded_anew_when_the_resume_names_it_or_changes_the_variables(given):
    play = failed_play()

    play.happens(Resume(**given))

    assert (play.run.steps["each"].status, play.run.steps["each"].map) == ("started", None)


def test_a_map_is_expanded_anew_when_something_before_it_runs_again():
    play = Play(a_workflow({"a": a_step(), "each": a_map("a")})).ends_with("a")
    play.expands("each", 2, 2)
    seen(play, 0, 1, ending="failed")
    play.collects("each")
    play.happens(Announced(0))

    play.happens(Resume(start="a"))
    play.ends_with("a")

    assert (play.run.steps["each"].status, play.run.steps["each"].map) == ("started", None)


def test_a_map_of_finally_is_kept_when_it_alone_failed_and_expanded_anew_when_other_steps_run_again():
    for ending in ("succeeded", "failed"):
        play = Play(a_workflow({"a": a_step()}, {"each": a_map()})).ends_with("a", ending)
        play.expands("each", 2, 2)
        seen(play, 0, 1, ending="exit_code")
        play.collects("each")
        play.happens(Announced(0))

        play.happens(Resume())

        assert (play.run.steps["each"].map is None) == (ending == "failed")


def test_a_map_that_was_cancelled_before_its_values_were_known_is_expanded_when_it_is_resumed():
    play = Play(a_workflow({"each": a_map()}))
    play.happens(Cancel())
    play.happens(Expand(step="each", generation=0, error=Error(kind="cancelled", message="m")))
    play.happens(Announced(0))

    play.happens(Resume())

    assert play.run.steps["each"].map is None
    assert not runs.is_stopped(play.run, "each")
    assert play.expands("each", 2, 2)
