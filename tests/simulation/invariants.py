"""What must hold of a world that has come to rest."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from loadme.core.ids import parse_attempt
from loadme.core.outcome import Outcome
from loadme.core.refusals import KINDS
from loadme.core.retries import budget, is_meant
from loadme.core.state import OPEN_RUN, OPEN_STEP, Item, Run
from loadme.handlers.launch_step import MOST_CLAIMS
from loadme.handlers.queries import get_run
from tests.simulation import idle, maps, oracle
from tests.simulation.users import FORGED
from tests.simulation.world import World

Ends = set[tuple[str, str]]
SUCCEEDED = ("succeeded", "")
ENDS: dict[str, Ends] = {
    "reports": {SUCCEEDED},
    "repeats": {SUCCEEDED},
    "contradicts": {SUCCEEDED},
    "verdict": {SUCCEEDED},
    "silent": {SUCCEEDED},
    # Its report may be lost for good, and it exits 0; or it tries to report until its time is over.
    "fails": {("failed", "failed"), ("timed_out", "timed_out"), SUCCEEDED},
    "hangs": {("timed_out", "timed_out")},
    "quiet": {("timed_out", "timed_out")},
    "late": {SUCCEEDED, ("timed_out", "timed_out")},
    "breaks": {("failed", "exit_code")},
    "oom": {("failed", "exit_code")},
    "platform": {("failed", "infrastructure")},
    "restarts": {("failed", "failed"), ("failed", "exit_code"), ("timed_out", "timed_out"), SUCCEEDED},
    "stuck": {("failed", "infrastructure")},
    "late-error": set(),
    "late-error-goes-on": {SUCCEEDED},
}
"""How an attempt may end by what its container does: status and kind of error."""
ALWAYS: Ends = {("cancelled", "cancelled"), ("skipped", "")}
PERMANENT = {"InvalidTemplateDeployment": "refused", "stuck": "infrastructure"}


def check(world: World) -> None:
    """Raises AssertionError, naming the seed and everything that is wrong."""
    wrong = [*world.breaches, *_left(world), *_users(world), *_runs(world), *_attempts(world), *idle.wrong(world), *_told(world)]
    assert not wrong, f"seed {world.seed}: " + "; ".join(wrong[:5])


def _left(world: World) -> Iterator[str]:
    if not world.is_at_rest():
        yield f"not at rest after {world.elapsed:.0f} s: {world.queues.pending}, busy {world.busy}, open {world.tables.list('open')}"
    if world.arm.container_groups:
        yield f"container groups are left: {list(world.arm.container_groups)}"
    if world.arm.deployments:
        yield f"deployment records are left: {list(world.arm.deployments)}"
    if again := {name for name, starts in world.arm.starts.items() if starts > 1} - world.arm.late:
        yield f"the work was started more than once: {again}"
    if world.poisoned and not world.bug.struck and not world.faults.rates["kill"]:
        yield "a message was poison without a bug"
    if lines := [key for key in world.tables.rows if key[0].startswith("group~")]:
        yield f"somebody has a group, or waits for one: {lines}"
    ledgers = [msgspec.json.decode(row.body) for row in world.tables.list("quota")]
    if any(ledger.get("live") for ledger in ledgers):
        yield f"places are taken for ever: {ledgers}"


def _users(world: World) -> Iterator[str]:
    for key, runs in world.keys.items():
        if len(runs) != 1:
            yield f"{key} made the runs {runs}"
    for run in {run for runs in world.keys.values() for run in runs}:
        known = world.tables.runs.get(run)
        if known is None and run not in world.deleted:
            yield f"the run {run} was accepted and is gone"
    for run, generation in world.cancelled:
        end = world.tables.ends.get((run, generation))
        # Its time may have been over already, or a step of finally may have failed.
        workflow = world.tables.workflows[run]
        may_fail = world.bug.struck or workflow.timeout is not None or workflow.last
        if end not in ("cancelled", "succeeded") and not (end == "failed" and may_fail):
            yield f"the run {run} was cancelled, and is {end}"
    if any(FORGED.encode() in row.body or b"zombie" in row.body for row in world.tables.rows.values()):
        yield "what was forged is stored"


def _runs(world: World) -> Iterator[str]:
    for run in world.tables.runs.values():
        if run.status in OPEN_RUN:
            yield f"the run {run.id} never ended"
        if not run.announced or not run.closed:
            yield f"the run {run.id} is {run.status}, and is not announced and closed"
        yield from oracle.wrong(world, run)
        yield from maps.wrong(world, run)
        for name, step in run.steps.items():
            if step.status in OPEN_STEP:
                yield f"{name} is open in the run {run.id}, which has ended"
            if step.status == "failed" and (step.error is None or not step.error.message):
                yield f"{name} of {run.id} failed without an explanation"
        if run.id not in world.deleted:
            world.spotless("answer", msgspec.json.encode(get_run(world.plain, run.id)))


def _attempts(world: World) -> Iterator[str]:
    for item in world.tables.attempts.values():
        outcome = item.outcome
        if outcome is not None and not world.tables.workflows[item.run].every_step[item.step].is_container:
            continue
        if outcome is None:
            yield f"{item.attempt_id} has no outcome"
            continue
        end = (outcome.status, outcome.error.kind if outcome.error else "")
        if end not in _allowed(world, item):
            yield f"{item.attempt_id} is {end}, its container {world.arm.plans.get(item.attempt.group)}: {outcome.error}"
        yield from _outputs(world, item, outcome)
        yield from _given_up(world, item, outcome)


def _allowed(world: World, item: Item) -> Ends:
    name = item.attempt.group
    plan = world.arm.plans.get(name)
    allowed = ALWAYS | (ENDS[plan.behaviour] if plan else set())
    allowed = allowed | {("failed", PERMANENT.get(code) or KINDS[code]) for code in world.arm.refused.get(name, ())}
    if world.arm.starts[name] > 1:
        # A PUT that came late has run the work again; the time runs from the first start.
        allowed = allowed | {("timed_out", "timed_out")}
    workflow = world.tables.workflows[item.run]
    if workflow.heartbeat(workflow.every_step[item.step]):
        allowed = allowed | {("failed", "heartbeat")}
    # Also without a bug: a launch that is cut each time is given up too.
    return allowed | ({("failed", "poison")} if world.bug.struck or item.attempt.claims >= MOST_CLAIMS else set())


def _outputs(world: World, item: Item, outcome: Outcome) -> Iterator[str]:
    """What is accepted is what the attempt's own container said, and what it was told to be accepted is the outcome."""
    given = outcome.outputs.inline if outcome.outputs and outcome.outputs.inline else {}
    plan = world.arm.plans.get(item.attempt.group)
    if given and (plan is None or given.get("said") != plan.token):
        yield f"{item.attempt_id} has the outputs {given} of another attempt"
    told = world.accepted.get(item.attempt.group)
    if told is not None and (outcome.source != "callback" or (told["outputs"] or {}) != given):
        yield f"{item.attempt_id}: the report that was accepted is not its outcome"


def _given_up(world: World, item: Item, outcome: Outcome) -> Iterator[str]:
    """Nothing is given up before its budget is used up."""
    run = world.tables.runs.get(item.run)
    if outcome.error is None or item.retry is not None or run is None or _was_stopped(world, run, item):
        return
    workflow = world.tables.workflows[item.run]
    rule, kind = workflow.retry(workflow.every_step[item.step]), outcome.error.kind
    if (item.run, item.step, item.item) in world.tables.items and item is world.tables.items[(item.run, item.step, item.item)]:
        spent = item.spent.get(budget(kind), 0)
        if budget(kind) == "work" and is_meant(rule, kind) and spent < rule.attempts:
            yield f"{item.attempt_id} was given up after {spent} tries of {rule.attempts}"
        if kind == "infrastructure" and spent <= rule.infrastructure:
            yield f"{item.attempt_id} was given up after {spent} failures of Azure's"
        if kind == "quota":
            yield f"{item.attempt_id} failed for want of quota"


def _was_stopped(world: World, run: Run, item: Item) -> bool:
    step = run.steps[item.step]
    is_closed = step.map is not None and step.map.is_failing
    is_stopped = any((run.id, number) in world.tables.stopped for number in (step.generation, run.generation))
    return world.bug.struck > 0 or is_stopped or is_closed or oracle.is_cut(run) or item.generation != step.generation


def _told(world: World) -> Iterator[str]:
    """Each end of a run was told, and no other."""
    ends = {f"{run}-{generation}-{status}" for (run, generation), status in world.tables.ends.items()}
    told = {event for event in world.queues.told if parse_attempt(f"lm-{event[:20]}-a-0-1") and event.count("-") == 2}
    if world.bug.struck:
        return
    if missing := ends - told:
        yield f"ends were not told: {missing}"
    if told - ends:
        yield f"ends were told that never were: {told - ends}"
    if world.settings.events.webhook:
        posted = {post.headers.get("webhook-id") or msgspec.json.decode(post.body)["id"] for post in world.webhook.posts}
        last = {f"{run.id}-{run.generation}-{run.status}" for run in world.tables.runs.values() if run.status not in OPEN_RUN}
        if last - posted:
            yield f"ends were not posted: {last - posted}"
