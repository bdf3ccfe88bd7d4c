"""State machines over the pure engine: whatever users, containers, ARM and the clock do, in any order, what must hold does.

Hypothesis plays all of them. Beside the engine a small model remembers what was accepted, what was launched and what was promised.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from loadme.core import engine, runs
from loadme.core.engine import State
from loadme.core.events import (
    Advance,
    Announce,
    Announced,
    Apply,
    Cancel,
    Check,
    Checked,
    Cleaned,
    CleanUp,
    CleanupTried,
    Closed,
    CloseRun,
    Decline,
    Deployed,
    Event,
    Fail,
    Launch,
    Progressed,
    Purge,
    Release,
    Report,
    RequestStep,
    Resume,
    TimeOut,
)
from loadme.core.ids import AttemptId
from loadme.core.outcome import Error, Outcome, Progress, Value
from loadme.core.policies import Policy
from loadme.core.runs import is_stopped, resumable
from loadme.core.state import MOST_PAST, Attempt, Item, Run
from loadme.definitions.definition import Catch, Retry, Step, Workflow

NOW = datetime(2030, 1, 1, tzinfo=UTC)
POLICY = Policy()
ID = "0" * 20
NONE = Value(inline={})
INFRASTRUCTURE = 2
WORKFLOW = Workflow(
    name="w",
    steps={
        "a": Step(
            image="img",
            retry=Retry(attempts=2, delay="30s", infrastructure=INFRASTRUCTURE, capacity=1),
            catch=(Catch(on=("refused",), step="d"),),
        ),
        "b": Step(image="img", needs=("a",), retry=Retry(attempts=3, delay="1s", infrastructure=INFRASTRUCTURE, capacity=1)),
        "c": Step(image="img", needs=("a",)),
        "d": Step(image="img", on_error="continue"),
    },
    last={"z": Step(image="img"), "y": Step(image="img", on_error="continue")},
    timeout="1h",
    max_parallel=2,
)
LONG = timedelta(minutes=20)
SELDOM = st.sampled_from([1, 1, 1, 1, 1, 0])
STEPS = st.sampled_from(["a", "a", "a", "a", "a", "b", "c", "d", "z", "y"])
"""Most of what is drawn must be about a step that has something to do, or few runs come far."""
PLATFORM = ("infrastructure", "capacity")
KINDS = st.sampled_from(["succeeded", "failed", "exit_code", "timed_out", "infrastructure", "capacity", "refused"])


def error(kind: str) -> Error:
    return Error(kind=kind, message="m")


def begun() -> State:
    run = Run(id=ID, workflow="w", definition="d", created_at=NOW, variables=NONE, steps={})
    return State(workflow=WORKFLOW, run=runs.begin(WORKFLOW, run), asked=tuple(WORKFLOW.every_step))


class Runs(RuleBasedStateMachine):
    """A run. `accepted` are outcomes by attempt, `launches` attempts by step and generation, `left` the attempts that are not gone."""

    def __init__(self) -> None:
        super().__init__()
        self.state = begun()
        self.now = NOW
        self.accepted: dict[AttemptId, Outcome] = {}
        self.launches: dict[tuple[str, int], set[int]] = {}
        self.kept: dict[str, Value] = {}
        self.left: set[AttemptId] = set()
        self.number = 0

    @initialize()
    def starts(self) -> None:
        assert [name for name, step in self.state.run.steps.items() if step.status == "started"] == ["a"]

    def happens(self, event: Event) -> bool:
        """Whether the event changed anything; what must hold of every change is checked."""
        before = self.state
        self.state = replace(engine.decide(before, event, self.now, POLICY), asked=before.asked)
        again = engine.decide(self.state, event, self.now, POLICY)
        if not isinstance(event, Release | Resume | Closed):
            assert replace(again, asked=before.asked) == self.state, "an event that comes again changed something"
        for key, item in self.state.items.items():
            self._judge(before.run, before.items.get(key), item)
        if isinstance(event, Cleaned):
            self.left.discard(event.attempt)
        return self.state != before

    def _judge(self, run: Run, old: Item | None, new: Item) -> None:
        claim = new.attempt.claim
        is_claimed_before = old is not None and old.attempt.claim == claim
        assert not claim or not is_stopped(run, new.step) or is_claimed_before, "launched although the run is to stop"
        if old is not None and new.attempt.number != old.attempt.number:
            assert old.outcome is not None, "an attempt was replaced that had not ended"
            assert new.attempt.number == old.attempt.number + 1
            leaked = old.outcome.at + timedelta(seconds=POLICY.leak) < self.now
            is_gone = not old.attempt.group or old.attempt.cleanup == "done" or leaked
            assert is_gone or not new.attempt.group, "two container groups of one item"
            assert old.retry is None or self.now >= old.retry.at or not new.attempt.group, "too early"
        if (old is None or new.attempt.number != old.attempt.number) and new.attempt.group:
            self.left.add(new.attempt_id)
            self.launches.setdefault((new.step, new.generation), set()).add(new.attempt.number)

    def item(self, step: str) -> Item | None:
        return self.state.items.get((step, 0))

    @rule(step=STEPS)
    def launch(self, step: str) -> None:
        self.number += 1
        self.happens(Launch(step=step, item=0, variables=NONE, timeout=60.0, claim=str(self.number)))

    @rule(step=STEPS, chance=SELDOM)
    def decline(self, step: str, chance: int) -> None:
        old = self.item(step)
        if chance or (old is not None and not POLICY.is_free(old, self.now)):
            return  # a request waits until the last attempt's container group is gone
        outcome = Outcome(status="skipped", at=self.now, source="launch")
        if self.happens(Decline(step=step, item=0, variables=NONE, outcome=outcome)):
            self._note(step)

    @rule(step=STEPS, after=st.sampled_from([0.0, 60.0]))
    def release(self, step: str, after: float) -> None:
        item = self.item(step)
        # Only who holds the claim gives it up.
        if item is not None and item.attempt.claim and item.outcome is None and not item.attempt.is_deployed:
            self.happens(Release(attempt=item.attempt_id, why="busy", after=after))

    @rule(step=STEPS, kind=KINDS, back=st.integers(0, 2))
    def report(self, step: str, kind: str, back: int) -> None:
        """The container or a check says how the attempt ended; or one of those before it does, late."""
        item = self.item(step)
        if item is None or item.attempt.number <= back:
            return
        self.number += 1
        of = item.attempt_id._replace(attempt=item.attempt.number - back)
        outputs = Value(inline={"number": self.number}) if kind == "succeeded" else None
        status: Any = kind if kind in ("succeeded", "timed_out") else "failed"
        outcome = Outcome(status=status, at=self.now, outputs=outputs, error=None if outputs else error(kind), digest=str(self.number))
        is_first = item.outcome is None and back == 0
        assert self.happens(Report(attempt=of, outcome=outcome, chance=0.5)) == is_first
        self._note(step)

    @precondition(lambda self: self.started())
    @rule(data=st.data(), kind=KINDS)
    def goes_through(self, data: st.DataObject, kind: str) -> None:
        """A step that is at work is launched and ends in one go: without this few runs would come to what is behind."""
        step = data.draw(st.sampled_from(self.started()))
        self.launch(step)
        self.report(step, kind, 0)
        self.happens(Apply(step=step, item=0))

    def started(self) -> list[str]:
        return [name for name, step in self.state.run.steps.items() if step.status == "started"]

    @rule(step=STEPS, what=st.sampled_from(["waits", "starts", "works", "deployed"]), number=st.integers(1, 4))
    def is_seen(self, step: str, what: str, number: int) -> None:
        """A check, a heartbeat or ARM's answer says something of the attempt."""
        item = self.item(step)
        if item is None:
            return
        of, starts = item.attempt_id, self.now if what == "starts" else None
        seen: dict[str, Event] = {
            "works": Progressed(attempt=of, progress=Progress(at=self.now, text="at work")),
            "deployed": Deployed(of),
        }
        default = Checked(attempt=of, number=number, started_at=starts, is_deployed=what == "starts")
        changes = self.happens(seen.get(what, default))
        # The answer to a PUT may come after the outcome: cleanup wants to know of it.
        assert not changes or item.outcome is None or what == "deployed"

    @rule(step=STEPS, is_gone=st.booleans())
    def clean_up(self, step: str, is_gone: bool) -> None:
        for one in self._left(step)[:1]:
            of = AttemptId(ID, step, 0, one.number)
            self.happens(Cleaned(attempt=of) if is_gone else CleanupTried(attempt=of, number=one.cleanups + 1, delay=30.0))

    def _left(self, step: str) -> list[Attempt]:
        item = self.item(step)
        return [one for one in item.attempts if one.cleanup == "wanted"] if item else []

    @rule(step=STEPS)
    def apply(self, step: str) -> None:
        self.happens(Apply(step=step, item=0))

    @rule(data=st.data())
    def goes_on(self, data: st.DataObject) -> None:
        """A message that is due is handled, but its container is not given up: without this few runs would come far."""
        due = [one for one in engine.due(self.state, self.now, POLICY) if not isinstance(one, Check | CloseRun)]
        if due:
            self._perform(data.draw(st.sampled_from(due)))

    @rule(step=STEPS, is_gone=st.booleans())
    def tries_again(self, step: str, is_gone: bool) -> None:
        """Time passes until the next attempt, whose forerunner's group is gone by then, or has leaked."""
        item = self.item(step)
        if item is not None and item.retry is not None:
            self.now = max(self.now, item.retry.at) + timedelta(seconds=0 if is_gone else POLICY.leak + 1)
            if is_gone:
                self.happens(Cleaned(attempt=item.attempt_id))
            self.launch(step)

    @rule(chance=SELDOM)
    def cancel(self, chance: int) -> None:
        if not chance:
            self.happens(Cancel(reason="enough"))

    @rule(chance=SELDOM)
    def cancel_with_force(self, chance: int) -> None:
        if not chance:
            self.happens(Cancel(reason="enough", force=True))

    @rule()
    def look_at_the_clock(self) -> None:
        self.happens(TimeOut())

    @rule(step=STEPS)
    def stop(self, step: str) -> None:
        """What a request does when the run is to stop, or was resumed without the attempt that is at work."""
        if self._is_to_stop(step):
            self._stop(step)

    def _is_to_stop(self, step: str) -> bool:
        item = self.item(step)
        is_old = item is not None and not item.is_over and item.generation != self.state.run.steps[step].generation
        return is_stopped(self.state.run, step) or is_old

    def _stop(self, step: str) -> None:
        outcome = Outcome(status="cancelled", at=self.now, source="cancel", error=error("cancelled"))
        item = self.item(step)
        if item is None or (item.is_over and item.generation != self.state.run.steps[step].generation):
            self.happens(Decline(step=step, item=0, variables=NONE, outcome=outcome))
        else:
            self.happens(Report(attempt=item.attempt_id, outcome=outcome))
        self._note(step)

    @rule(chance=SELDOM)
    def fail(self, chance: int) -> None:
        if chance:
            return
        self.happens(Fail(error=error("poison")))

    @rule()
    def announce(self) -> None:
        self.happens(Announced(self.state.run.generation))

    @precondition(lambda self: self.state.run.announced)
    @rule(start=st.one_of(st.just(""), STEPS))
    def resume(self, start: str) -> None:
        run = self.state.run
        again = resumable(WORKFLOW, run, start)
        is_skipped = any(step.status == "skipped" for name, step in run.steps.items() if name not in again)
        self.kept = {name: step.outputs for name, step in run.steps.items() if step.status == "succeeded" and name not in again}
        self.happens(Resume(start=start))
        assert (self.state.run.status == "running") == bool(again) or is_skipped
        assert self.state.run.cancel is None or not again

    @rule(seconds=st.sampled_from([1, 40, 130, 700, 3600]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    def _note(self, step: str) -> None:
        item = self.item(step)
        if item is not None and item.outcome is not None:
            self.accepted.setdefault(item.attempt_id, item.outcome)

    @invariant()
    def an_accepted_outcome_never_changes(self) -> None:
        for of, outcome in self.accepted.items():
            item = self.item(of.step)
            assert item is not None
            known = item.numbered(of.attempt)
            # Of a past attempt it is remembered how it ended, not what it gave.
            assert known is None or known[1] is not None
            assert known is None or (known[1].status, known[1].at, known[1].digest) == (outcome.status, outcome.at, outcome.digest)
            assert known is not None or item.attempt.number > of.attempt, "an outcome was forgotten"

    @invariant()
    def a_step_is_started_only_after_what_it_needs(self) -> None:
        for name, step in WORKFLOW.every_step.items():
            if self.state.run.steps[name].status in ("started", "succeeded"):
                assert all(self.state.run.steps[need].status == "succeeded" for need in step.needs)

    @invariant()
    def a_run_that_is_over_has_no_open_step_and_says_why_it_failed(self) -> None:
        run = self.state.run
        is_open = any(step.status in ("pending", "started") for step in run.steps.values())
        assert (run.status == "running") == is_open
        assert (run.ended_at is None) == (run.status == "running")
        assert run.status != "failed" or run.error is not None

    @invariant()
    def no_budget_is_overdrawn(self) -> None:
        for (step, _), numbers in self.launches.items():
            rule_ = WORKFLOW.retry(WORKFLOW.every_step[step])
            most = rule_.attempts + INFRASTRUCTURE + 5 if rule_.attempts > 1 else 100
            assert len(numbers) <= most
        for item in self.state.items.values():
            rule_ = WORKFLOW.retry(WORKFLOW.every_step[item.step])
            assert item.spent.get("work", 0) <= rule_.attempts
            assert item.retry is None or item.spent.get("work", 0) < rule_.attempts or item.outcome.error.kind in PLATFORM

    @invariant()
    def what_succeeded_before_a_resume_keeps_its_outputs(self) -> None:
        for name, outputs in self.kept.items():
            assert self.state.run.steps[name].outputs == outputs

    @invariant()
    def nothing_that_is_left_is_forgotten(self) -> None:
        assert all(self.state.items[of.step, 0].numbered(of.attempt) for of in self.left)
        for item in self.state.items.values():
            assert item.is_over or not item.applied
            assert len(item.past) <= MOST_PAST + 5
            assert item.is_open == (not item.is_over or not item.applied or bool(self._left(item.step)))

    def teardown(self) -> None:
        """From wherever it is, what is due leads to the end, and nothing is left."""
        for _ in range(40):
            if self._is_quiet():
                break
            self.now += LONG
            due = engine.due(self.state, self.now, POLICY)
            assert [one for one in due if not isinstance(one, CloseRun)], f"dead: {self.state}"
            for action in due:
                self._perform(action)
        assert self._is_quiet(), f"stuck: {self.state}"
        self.happens(Closed())
        self.happens(Purge())
        assert self.state.run.purged_at is not None
        assert not self.happens(Resume(start="a")), "a run that is being deleted was resumed"

    def _is_quiet(self) -> bool:
        run = self.state.run
        return run.status != "running" and run.announced and not any(item.is_open for item in self.state.items.values())

    def _perform(self, action: Any) -> None:
        """What the handler of the action's message would do, if the container never reports."""
        if isinstance(action, RequestStep):
            self._stop(action.step) if self._is_to_stop(action.step) else self.launch(action.step)
        elif isinstance(action, Check):
            outcome = Outcome(status="timed_out", at=self.now, error=error("timed_out"))
            self.happens(Report(attempt=action.attempt, outcome=outcome))
            self._note(action.attempt.step)
        elif isinstance(action, Advance):
            self.happens(Apply(step=action.attempt.step, item=action.attempt.item))
        elif isinstance(action, CleanUp):
            self.happens(Cleaned(attempt=action.attempt))
        elif isinstance(action, Announce):
            self.happens(Announced(self.state.run.generation))


TestRuns = Runs.TestCase
TestRuns.settings = settings(derandomize=True, max_examples=300, stateful_step_count=60, deadline=None)


def after(state: State, *events: Event) -> State:
    for event in events:
        state = replace(engine.decide(state, event, NOW, POLICY), asked=state.asked)
    return state


def test_a_resume_from_a_named_step_also_runs_what_it_needs_and_whatever_else_never_ran():
    launch = Launch(step="a", item=0, variables=NONE, timeout=60.0, claim="me")
    done = Report(attempt=AttemptId(ID, "a", 0, 1), outcome=Outcome(status="succeeded", at=NOW, outputs=NONE))
    failed = (Fail(error=error("poison")), Announced(0), Resume(start="b"))
    assert after(begun(), *failed).run.steps["a"].status == "started"
    steps = after(begun(), launch, done, Apply(step="a", item=0), *failed).run.steps
    assert {name: steps[name].status for name in "abc"} == {"a": "succeeded", "b": "started", "c": "started"}


def test_what_a_run_left_behind_when_it_failed_is_stopped_if_it_is_cancelled_after_its_resume():
    launch = Launch(step="a", item=0, variables=NONE, timeout=60.0, claim="me")
    runs = Runs()
    runs.state = after(begun(), launch, Fail(error=error("poison")), Announced(0), Resume(), Cancel())
    runs.teardown()


@pytest.mark.parametrize(
    "old",
    [
        [Decline(step="a", item=0, variables=NONE, outcome=Outcome(status="skipped", at=NOW, source="launch"))],
        [Launch(step="a", item=0, variables=NONE, timeout=60.0, claim="me")],
    ],
    ids=["with an outcome", "at work"],
)
def test_what_is_left_of_an_older_generation_does_not_keep_a_run_open_that_cannot_go_on(old):
    runs = Runs()
    runs.state = after(begun(), *old, Fail(error=error("poison")), Announced(0), Resume(), Fail(error=error("poison")))
    runs.teardown()


def test_every_attempt_whose_group_could_not_be_deleted_is_remembered():
    runs = Runs()
    runs.launch("a")
    for _ in range(INFRASTRUCTURE):
        runs.report("a", "infrastructure", 0)
        runs.tries_again("a", is_gone=False)
    assert runs.left == {AttemptId(ID, "a", 0, number) for number in (1, 2, 3)}
    runs.nothing_that_is_left_is_forgotten()
    runs.teardown()
