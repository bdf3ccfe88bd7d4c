"""Every order in which things can happen to one step that may be tried twice: no dead state, one outcome.

First the pure engine: every state that it can reach, whatever happens when. Then two hosts at once, which read and write the same rows by
compare-and-set: every order of the events, and every way in which the one reads and writes between what the other reads and writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace as with_
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import permutations
from typing import Any, NamedTuple

import msgspec
import pytest

from loadme import store, transaction
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
    CloseRun,
    Decline,
    Deployed,
    Event,
    Launch,
    Release,
    Report,
    RequestStep,
)
from loadme.core.ids import AttemptId
from loadme.core.outcome import Error, Outcome, Value
from loadme.core.policies import Policy
from loadme.core.runs import is_stopped
from loadme.core.state import Item, Run
from loadme.definitions.definition import Retry, Step, Workflow
from loadme.errors import Conflict
from tests.fakes.tables import FakeTables
from tests.world import World

NOW = datetime(2030, 1, 1, tzinfo=UTC)
POLICY = Policy()
NONE = Value(inline={})
ID = "0" * 20
KEY = ("a", 0)
ATTEMPTS = 2
RETRY = Retry(attempts=ATTEMPTS, delay="30s", jitter="none")
WORKFLOW = Workflow(name="w", steps={"a": Step(image="img", retry=RETRY)})
LATER = [timedelta(seconds=130), timedelta(seconds=800)]
"""When who claimed the launch must be dead and the retry is due; when a group that is still there counts as leaked."""
LONG = timedelta(minutes=15)
"""After so long everything that was to come is lost, and nothing waits for a group any more."""


def begun() -> State:
    run = Run(id=ID, workflow="w", definition="d", created_at=NOW, variables=NONE, steps={})
    return State(workflow=WORKFLOW, run=runs.begin(WORKFLOW, run), asked=("a",))


def attempt(number: int) -> AttemptId:
    return AttemptId(ID, "a", 0, number)


def launch() -> Launch:
    return Launch(step="a", item=0, variables=NONE, timeout=60.0, claim="me")


def callback(of: AttemptId, now: datetime) -> Report:
    return Report(attempt=of, outcome=Outcome(status="succeeded", at=now, source="callback", digest="one"))


def conflicting(of: AttemptId, now: datetime) -> Report:
    error = Error(kind="failed", message="m")
    return Report(attempt=of, outcome=Outcome(status="failed", at=now, source="callback", digest="two", error=error))


def timeout(of: AttemptId, now: datetime) -> Report:
    return Report(attempt=of, outcome=Outcome(status="timed_out", at=now, error=Error(kind="timed_out", message="m")))


def cancelled(now: datetime) -> Outcome:
    return Outcome(status="cancelled", at=now, source="cancel", error=Error(kind="cancelled", message="m"))


def check(of: AttemptId, now: datetime, number: int = 1) -> Checked:
    return Checked(attempt=of, number=number, started_at=now, is_deployed=True)


def whatever_happens(state: State, now: datetime) -> Iterator[Event]:
    """All that can happen in a state, late and repeated messages of either attempt too."""
    yield from (launch(), Apply(step="a", item=0), Cancel(), Announced(0))
    for number in range(1, ATTEMPTS + 1):
        yield from (make(attempt(number), now) for make in (callback, conflicting, timeout, check))
        yield from (Deployed(attempt(number)),) if _may_release(state, number) else ()
        yield from (Release(attempt=attempt(number), why="busy", after=5.0),) if _may_release(state, number) else ()
        yield from (Cleaned(attempt=attempt(number)),) if _is_left(state, number) else ()
    if is_stopped(state.run, "a"):
        yield stop(state, now)


def stop(state: State, now: datetime) -> Event:
    item = state.items.get(KEY)
    if item is None:
        return Decline(step="a", item=0, variables=NONE, outcome=cancelled(now))
    return Report(attempt=item.attempt_id, outcome=cancelled(now))


def _may_release(state: State, number: int) -> bool:
    item = state.items.get(KEY)
    return item is not None and item.attempt.number == number and bool(item.attempt.claim) and not item.attempt.is_deployed


def _is_left(state: State, number: int) -> bool:
    item = state.items.get(KEY)
    return item is not None and any(one.number == number and one.cleanup == "wanted" for one in item.attempts)


def is_quiet(state: State) -> bool:
    """Whether the run is over and nothing of it is left."""
    return state.run.status != "running" and state.run.announced and not any(item.is_open for item in state.items.values())


def key_of(state: State) -> bytes:
    return msgspec.json.encode([state.run, list(state.items.values())])


def outcomes(item: Item | None) -> dict[int, Outcome]:
    """The accepted outcome of each attempt that has one."""
    if item is None:
        return {}
    return {one.number: found for one in item.attempts if (found := item.numbered(one.number)[1]) is not None}


def what_is_due(state: State, now: datetime) -> list[Event]:
    """What the handlers of the messages that are due would make of them, when the container neither reports nor ends."""
    return [event for action in engine.due(state, now, POLICY) for event in _handled(state, action, now)]


def _handled(state: State, action: Any, now: datetime) -> Iterator[Event]:
    if isinstance(action, RequestStep):
        yield stop(state, now) if is_stopped(state.run, "a") else launch()
    elif isinstance(action, Check):
        yield timeout(action.attempt, now)
    elif isinstance(action, Advance):
        yield Apply(step=action.attempt.step, item=action.attempt.item)
    elif isinstance(action, CleanUp):
        yield Cleaned(attempt=action.attempt)
    elif isinstance(action, Announce):
        yield Announced(0)
    else:
        assert isinstance(action, CloseRun)


def judge(before: State, event: Event, after: State) -> None:
    """What must hold of every step from one state to the next."""
    old, new = before.items.get(KEY), after.items.get(KEY)
    assert new is None or new.is_over or not new.applied, "applied before it was over"
    assert not is_stopped(before.run, "a") or _claim(new) in (None, _claim(old)), "launched although the run is to stop"
    assert outcomes(old).items() <= outcomes(new).items(), "an outcome changed or was forgotten"
    if before.run.status != "running":
        assert (after.run.status, after.run.steps, after.run.error) == (before.run.status, before.run.steps, before.run.error)
    if old is None or new is None:
        return
    assert new.attempt.number + (new.retry is not None) <= ATTEMPTS
    assert new.attempt.number == old.attempt.number or old.retry is not None, "another attempt without a reason"
    if old.is_over:
        assert (new.outcome, new.attempt.number, new.retry) == (old.outcome, old.attempt.number, None), "the end is not the end"
    about = getattr(event, "attempt", None)
    if about is not None and about.attempt < old.attempt.number and not isinstance(event, Cleaned):
        assert new == old, "an older attempt changed something"


def _claim(item: Item | None) -> object:
    return (item.attempt.number, item.attempt.claim, item.attempt.launched_at) if item and item.attempt.claim else None


def is_fenced(before: State, after: State, now: datetime) -> bool:
    """Whether another attempt began only when the last one's container group was gone, or was given up as leaked."""
    old, new = before.items.get(KEY), after.items.get(KEY)
    if old is None or new is None or new.attempt.number == old.attempt.number:
        return True
    return old.attempt.cleanup == "done" or now > old.attempt.ended_at + timedelta(seconds=POLICY.leak)


class Reached(NamedTuple):
    states: dict[tuple[bytes, datetime], State]
    steps: int


@cache
def reached(later: timedelta) -> Reached:
    """Every state that the engine can reach now and at one later moment, each step judged on the way."""
    first, moments = begun(), (NOW, NOW + later)
    states, steps, open_ones = {(key_of(first), NOW): first}, 0, [(first, NOW)]
    while open_ones:
        state, now = open_ones.pop()
        following = [(state, moments[1])]
        for event in whatever_happens(state, now):
            after = with_(engine.decide(state, event, now, POLICY), asked=state.asked)
            judge(state, event, after)
            assert is_fenced(state, after, now), "two container groups of one item"
            following.append((after, now))
            steps += 1
        for one, at in following:
            if (key_of(one), at) not in states:
                states[key_of(one), at] = one
                open_ones.append((one, at))
    return Reached(states, steps)


@pytest.mark.parametrize("later", LATER)
def test_whatever_happens_when_an_outcome_stands_an_end_is_an_end_and_one_group_is_alive(later):
    found = reached(later)
    # Counted, so that nobody makes the search empty without noticing: it may grow with the engine.
    assert len(found.states) >= 3_000
    assert found.steps >= 40_000
    assert any(state.items[KEY].attempt.number == ATTEMPTS for state in found.states.values() if state.items)


@pytest.mark.parametrize("later", LATER)
def test_no_state_is_dead_something_is_due_until_nothing_is_left_and_it_leads_to_the_end(later):
    ends = set()
    for (_, now), state in reached(later).states.items():
        ends.add(end_of(state, now).run.status)
    assert ends == {"succeeded", "failed", "cancelled"}


def end_of(state: State, now: datetime) -> State:
    """The state in which nothing is left, when only what is due is done."""
    at = state
    for _ in range(20):
        if is_quiet(at):
            return at
        now += LONG
        due = what_is_due(at, now)
        assert due, f"dead: {at}"
        for event in due:
            at = with_(engine.decide(at, event, now, POLICY), asked=at.asked)
    raise AssertionError(f"stuck: {state}")


class Host(NamedTuple):
    """A host that handles an event: it has read the rows, or is about to do so."""

    event: str
    loaded: transaction.Loaded | None


Rows = dict[tuple[str, str], Any]


class Hosts:
    """Two hosts over the same rows, when attempt `number` of the step has just been launched.

    `explore` makes every order of the events, and every way in which one host reads and writes between what the other reads and writes.
    """

    def __init__(self, number: int) -> None:
        self.world = World(f"name: sample\nsteps: {{a: {{image: img, retry: {{attempts: {ATTEMPTS}, delay: 30s, jitter: none}}}}}}")
        self.tables, self.services = self.world.tables, self.world.services
        self.run = self.world.start().id
        self.world.live(1 / 60)
        for earlier in range(1, number):
            self.world.arm.finish(str(AttemptId(self.run, "a", 0, earlier)), exit_code=1, at=self.world.moment)
            self.world.live(0.2)
        self.own = AttemptId(self.run, "a", 0, number)
        assert self.item().attempt_id == self.own
        self.world.queues.sent.clear()
        self.events = self._events()
        self.schedules: dict[Any, int] = {}
        self.ends: dict[bytes, Rows] = {}

    def item(self) -> Item:
        """The item as it is stored."""
        found = store.read_item(self.tables, self.run, *KEY)
        assert found is not None
        return found.item

    def _events(self) -> dict[str, Event]:
        now = self.world.moment
        said = {name: make(self.own, now) for name, make in (("timeout", timeout), ("callback", callback), ("conflicting", conflicting))}
        return {**said, "duplicate": said["callback"], "cancel": Cancel(), "check": check(self.own, now, number=99)}

    def explore(self, waiting: frozenset[str], hosts: tuple[Host | None, Host | None] = (None, None)) -> int:
        """In how many ways the hosts can handle what waits, from the rows as they are. Each way that was not seen yet is gone."""
        node = (self._rows(), frozenset(waiting), *sorted(map(self._seen, hosts)))
        if node not in self.schedules:
            rows = dict(self.tables.rows)
            self.schedules[node] = sum(self._go(waiting, hosts, at) for at in (0, 1))
            if not waiting and hosts == (None, None):
                self.schedules[node], self.ends[self._rows()] = 1, rows
        return self.schedules[node]

    def _go(self, waiting: frozenset[str], hosts: tuple[Host | None, Host | None], at: int) -> int:
        """In how many ways it goes on when it is the turn of the host `at`."""
        host, rows = hosts[at], self.tables.rows
        ways = 0
        for event in sorted(waiting) if host is None else [host.event]:
            self.tables.rows = dict(rows)
            following = self._turn(event, host)
            both = (following, hosts[1]) if at == 0 else (hosts[0], following)
            ways += self.explore(waiting - {event}, both)
        self.tables.rows = rows
        return ways

    def _turn(self, event: str, host: Host | None) -> Host | None:
        """One turn: the host reads, or decides and writes. None once it is done with the event."""
        if host is None or host.loaded is None:
            return Host(event, transaction.load(self.services, self.run, KEY))
        after = engine.decide(host.loaded.state, self.events[event], self.world.moment, self.services.settings.policy)
        if after == host.loaded.state:
            return None
        before = self._state()
        try:
            transaction.save(self.services, host.loaded, after)
        except Conflict:
            return Host(event, None)
        judge(before, self.events[event], self._state())
        return None

    def _state(self) -> State:
        return transaction.load(self.services, self.run, KEY).state

    def _rows(self) -> bytes:
        return key_of(self._state())

    def _seen(self, host: Host | None) -> tuple[str, bytes, bool]:
        if host is None or host.loaded is None:
            return (host.event if host else "", b"", False)
        there = transaction.load(self.services, self.run, KEY)
        is_fresh = (there.run_etag, there.item_etags) == (host.loaded.run_etag, host.loaded.item_etags)
        return (host.event, key_of(host.loaded.state), is_fresh)


@cache
def explored(number: int) -> tuple[Hosts, int]:
    hosts = Hosts(number)
    return hosts, hosts.explore(frozenset(hosts.events))


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize(("without", "bad_end"), [("", "cancelled"), ("cancel", "failed")])
def test_in_every_order_on_two_hosts_an_attempt_has_one_outcome_and_its_run_ends(number, without, bad_end):
    hosts = Hosts(number)
    ways = hosts.explore(frozenset(hosts.events) - {without})
    assert ways >= (180_000 if without else 3_900_000)
    found = {how_it_ends(rows, number) for rows in hosts.ends.values()}
    assert found == {("succeeded", "succeeded"), ("timed_out", bad_end), ("failed", bad_end)}


def how_it_ends(rows: Rows, number: int) -> tuple[str, str]:
    """The outcome of the attempt and the end of the run, which only the patrol can find: all messages are lost."""
    hosts = Hosts(number)
    hosts.tables.rows = dict(rows)
    before = hosts.item()
    for _ in range(8):
        for name in hosts.world.arm.container_groups:
            hosts.world.arm.finish(name, exit_code=1, at=hosts.world.moment)
        hosts.world.live(0.2)
    hosts.world.assert_nothing_left()
    assert outcomes(before).items() <= outcomes(hosts.item()).items()
    return outcomes(before)[number].status, store.read_run(hosts.tables, hosts.run).run.status


def test_a_host_that_writes_whatever_it_finds_is_caught_by_the_same_search(monkeypatch):
    monkeypatch.setattr(FakeTables, "_check", lambda *_: None)
    hosts = Hosts(1)
    with pytest.raises(AssertionError, match="an outcome changed"):
        hosts.explore(frozenset(hosts.events))


PAIRS = list(permutations(["timeout", "callback", "conflicting", "cancel", "check"], 2))


@pytest.mark.parametrize(("slow", "fast"), PAIRS)
def test_who_reads_first_and_writes_last_reads_again_and_decides_anew(slow, fast):
    hosts = Hosts(1)

    def change(event: str) -> bool:
        return transaction.change(hosts.services, hosts.run, KEY, hosts.events[event])[1]

    changed: list[bool] = []
    hosts.world.before("write", 1, lambda: changed.append(change(fast)))
    changed.append(change(slow))
    found = hosts.item()
    first = next((name for name in (fast, slow) if name not in ("cancel", "check")), None)
    assert (found.outcome and found.outcome.status) == (hosts.events[first].outcome.status if first else None)
    assert changed == [True, slow == "cancel" or fast in ("cancel", "check")]
    assert (store.read_run(hosts.tables, hosts.run).run.cancel is not None) == ("cancel" in (slow, fast))
