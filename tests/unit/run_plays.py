"""Playing a run through the pure engine: workflows by chance, and what becomes of their steps when each ends as it is told to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from loadme.core import runs
from loadme.core.events import Collected, Expand, LanesSeen, RunEvent
from loadme.core.outcome import Error, Outcome, Value
from loadme.core.state import OPEN_STEP, Expansion, Lane, Run, StepState
from loadme.definitions.definition import Catch, Step, Wait, Workflow

NOW = datetime(2030, 1, 1, tzinfo=UTC)
NONE = Value(inline={})
ENDINGS = ("succeeded", "failed", "skipped")
KINDS = ("failed", "exit_code", "timed_out", "outputs", "too-late", "infrastructure")


def a_workflow(steps: Mapping[str, Step], last: Mapping[str, Step] | None = None, **more: Any) -> Workflow:
    return Workflow(name="w", steps=dict(steps), last=dict(last or {}), **more)


def a_step(*needs: str, **more: Any) -> Step:
    return Step(**{"image": "img", "needs": needs, **more})


def a_run(workflow: Workflow, **more: Any) -> Run:
    return runs.begin(workflow, Run(id="0" * 20, workflow="w", definition="d", created_at=NOW, variables=NONE, steps={}, **more))


def an_outcome(ending: str = "succeeded", at: datetime = NOW) -> Outcome:
    """`succeeded`, `skipped`, `cancelled`, or a kind of error that it failed with."""
    if ending in ("succeeded", "skipped"):
        return Outcome(status=ending, at=at, outputs=Value(inline={"by": ending}))
    return Outcome(status="cancelled" if ending == "cancelled" else "failed", at=at, error=Error(kind=ending, message="m"))


def expanded(count: int, lanes: int, tolerated: int = 0) -> Expansion:
    return Expansion(count=count, lanes=lanes, tolerated=tolerated, values="v", variables=NONE)


def statuses(run: Run) -> dict[str, str]:
    return {name: step.status for name, step in run.steps.items()}


def started(run: Run) -> list[str]:
    return [name for name, step in run.steps.items() if step.status == "started"]


def slots_used(workflow: Workflow, run: Run) -> int:
    """Counted once more, as the definition words it."""
    found = 0
    for name in started(run):
        step, state = workflow.every_step[name], run.steps[name]
        if step.wait is None and step.sleep is None:
            found += 1 if step.for_each is None else (state.map.opened - state.map.closed if state.map else 0)
    return found


class Play:
    """A run, in which steps end as `ends` says: one without an entry succeeds. The items of a map are all as their step is."""

    def __init__(self, workflow: Workflow, ends: Mapping[str, str] | None = None, **more: Any) -> None:
        self.workflow, self.ends, self.now = workflow, ends or {}, NOW
        self.run = a_run(workflow, **more)

    def happens(self, event: RunEvent) -> bool:
        """Whether the event changed anything."""
        before, self.run = self.run, runs.changed(self.workflow, self.run, event, self.now)
        return self.run != before

    def later(self, seconds: float) -> Play:
        self.now += timedelta(seconds=seconds)
        return self

    def ends_with(self, name: str, ending: str = "succeeded") -> Play:
        """The step's one item ends so."""
        assert self.run.steps[name].status == "started", f"{name} is {self.run.steps[name].status}"
        self.run = runs.applied(self.workflow, self.run, name, an_outcome(ending, self.now), self.now)
        return self

    def expands(self, name: str, count: int, lanes: int, tolerated: int = 0) -> bool:
        generation = self.run.steps[name].generation
        return self.happens(Expand(step=name, generation=generation, expansion=expanded(count, lanes, tolerated)))

    def sees(self, name: str, *lanes: Lane) -> bool:
        return self.happens(LanesSeen(step=name, generation=self.run.steps[name].generation, lanes=lanes))

    def collects(self, name: str) -> bool:
        return self.happens(Collected(step=name, generation=self.run.steps[name].generation, outputs=Value(inline={"items": []})))

    def ready(self) -> list[str]:
        """The started steps to which something may happen: not maps whose lanes all wait for a slot."""
        maps = {name: state.map for name, state in self.run.steps.items() if state.map}
        waiting = {name for name, found in maps.items() if found.active == 0 and found.opened < found.lanes and not found.is_failing}
        return [name for name in started(self.run) if name not in waiting or runs.is_stopped(self.run, name)]

    def goes_on(self, name: str) -> None:
        """One thing that may happen next to a started step."""
        state = self.run.steps[name]
        ending = self.ends.get(name, "succeeded")
        ending = "cancelled" if runs.is_stopped(self.run, name) else ending
        if self.workflow.every_step[name].for_each is None or (state.map is None and ending == "cancelled"):
            self._ends(name, ending)
        elif state.map is None:
            if ending == "skipped":
                self.happens(Expand(step=name, generation=state.generation))
            else:
                self.expands(name, 5, 3)
        elif not self._next_lane(name, state, ending):
            assert self.collects(name), f"{name} cannot end: {state}"

    def _ends(self, name: str, ending: str) -> None:
        if self.workflow.every_step[name].for_each is None:
            self.ends_with(name, ending)
        else:
            error = Error(kind=ending, message="m")
            self.happens(Expand(step=name, generation=self.run.steps[name].generation, error=error))

    def _next_lane(self, name: str, state: StepState, ending: str) -> bool:
        """One more lane of those that are at work is over; False if none is."""
        assert state.map is not None
        if not state.map.active:
            return False
        # Lanes end in their order; a failing lane ends all that are at work, since the run's row learns of it late.
        over = state.map.opened if ending != "succeeded" else state.map.closed + 1
        return self.sees(name, *(a_lane(name, state, number, ending) for number in range(over))) or self.sees(
            name, *(a_lane(name, state, number, ending) for number in range(state.map.opened))
        )


def a_lane(name: str, state: StepState, number: int, ending: str = "succeeded", **more: Any) -> Lane:
    """A lane that is over, all of whose items ended so."""
    assert state.map is not None
    items = len(range(number, state.map.count, state.map.lanes))
    counted = {"succeeded": {"succeeded": items}, "skipped": {"skipped": items}, "cancelled": {"cancelled": items}}
    failed = {"failed": 1, "error": Error(kind=ending, message="m", item=number)}
    given = {"is_over": True, "generation": state.generation, **counted.get(ending, failed), **more}
    return Lane(run="0" * 20, step=name, lane=number, item=number, **given)


# Workflows by chance.


@st.composite
def _steps(draw: st.DrawFn, prefix: str, most: int) -> dict[str, Step]:
    names = [f"{prefix}{number}" for number in range(draw(st.integers(0 if prefix == "f" else 1, most)))]
    free = set(names)
    found = {}
    for index, name in enumerate(names):
        step = draw(_step(names[:index]))
        targets = sorted(free & set(names[index + 1 :]))
        if targets and draw(st.booleans()):
            target = draw(st.sampled_from(targets))
            free.discard(target)
            step = replace(step, catch=(*step.catch, Catch(on=draw(_on()), step=target)))
        found[name] = step
    return dict(draw(st.permutations(list(found.items()))))


@st.composite
def _step(draw: st.DrawFn, before: list[str]) -> Step:
    needed = draw(st.lists(st.sampled_from(before), unique=True, max_size=3)) if before else []
    endings = st.lists(st.sampled_from(ENDINGS), min_size=1, unique=True).map(tuple)
    is_named = draw(st.booleans())
    needs: Any = {name: draw(endings) for name in needed} if is_named else tuple(needed)
    kind = draw(st.sampled_from([{"image": "img"}, {"image": "img", "for_each": [1, 2]}, {"wait": Wait()}, {"workflow": "other"}]))
    catch = (Catch(on=draw(_on()), outputs={"caught": 1}),) if draw(st.integers(0, 3)) == 0 else ()
    return Step(needs=needs, catch=catch, on_error=draw(st.sampled_from(["fail", "fail", "continue"])), **kind)


def _on() -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(KINDS), max_size=2, unique=True).map(tuple)


@st.composite
def plays(draw: st.DrawFn) -> Play:
    """A workflow by chance, and how its steps end."""
    most = draw(st.sampled_from([None, None, 1, 2, 4]))
    workflow = a_workflow(draw(_steps("s", 8)), draw(_steps("f", 3)), max_parallel=most, timeout=draw(st.sampled_from([None, "1h"])))
    endings = st.sampled_from(["succeeded", "succeeded", "skipped", *KINDS])
    return Play(workflow, {name: draw(endings) for name in workflow.every_step})


# What becomes of the steps, worked out once more without care for speed.


class Expected(Struct, frozen=True, kw_only=True):
    status: str
    handled: str = ""


def expected(play: Play) -> dict[str, Expected]:
    """How every step ends when nothing stops the run: in no order, until nothing changes any more."""
    found: dict[str, Expected] = {}
    for steps in (play.workflow.steps, play.workflow.last):
        while len(found) < len(steps) + (len(play.workflow.steps) if steps is play.workflow.last else 0):
            for name, step in steps.items():
                catchers = [other for other, one in steps.items() if any(entry.step == name for entry in one.catch)]
                if name not in found and all(other in found for other in (*step.accepted, *catchers)):
                    found[name] = _expected(play, name, step, catchers, found)
    return found


def _expected(play: Play, name: str, step: Step, catchers: list[str], found: Mapping[str, Expected]) -> Expected:
    if any(not _counts_as(found[need]) & set(accepted) for need, accepted in step.accepted.items()):
        return Expected(status="skipped")
    if any(found[other].handled != f"step:{name}" for other in catchers):
        return Expected(status="skipped")
    kind = play.ends.get(name, "succeeded")
    if kind in ("succeeded", "skipped"):
        return Expected(status=kind)
    for entry in step.catch:
        if not entry.on or kind in entry.on or ("failed" in entry.on and kind in ("exit_code", "too-late")):
            return Expected(status="failed", handled=f"step:{entry.step}" if entry.step else "outputs")
    return Expected(status="failed", handled="continue" if step.on_error == "continue" else "")


def _counts_as(one: Expected) -> set[str]:
    return {"succeeded", "failed"} if one.handled in ("continue", "outputs") else {one.status}


def unhandled(steps: Mapping[str, Expected] | Mapping[str, StepState]) -> set[str]:
    """The steps of which nothing took care of the failure: what was to catch it may have been skipped itself."""
    nothing = {"", *(f"step:{name}" for name, step in steps.items() if step.status == "skipped")}
    return {name for name, step in steps.items() if step.status == "failed" and step.handled in nothing}


def is_open(run: Run, names: Any) -> bool:
    return any(run.steps[name].status in OPEN_STEP for name in names)
