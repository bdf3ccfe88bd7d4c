"""The simulation is worth something only if it catches an engine that is broken: each sabotage must be found within CI's seeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from loadme import store, transaction
from loadme.core import attempts
from loadme.core.events import Announce, Cancel, Check, CleanUp, RequestStep
from loadme.core.quota import Granted
from loadme.errors import LoadmeError
from loadme.handlers import callback, clean_up, control, launch_step, patrol, quota
from tests.simulation import language, scenarios
from tests.simulation.invariants import check
from tests.simulation.sabotages import SABOTAGES_OF_THE_LANGUAGE
from tests.simulation.world import World

SEEDS = 300
SHORT = 4 * 3600.0
"""Virtual seconds: what is not at rest then will never be."""
Patch = pytest.MonkeyPatch


def no_etag_check(patch: Patch) -> None:
    real = store.write
    patch.setattr(
        store,
        "write",
        lambda tables, run, items=(), lanes=(): real(
            tables,
            store.StoredRun(run=run.run, etag="*") if run else None,
            [store.StoredItem(item=one.item, etag="*") for one in items],
            [store.StoredLane(lane=one.lane, etag="*") for one in lanes],
        ),
    )


def never(action: type) -> Callable[[Patch], None]:
    """An action that is forgotten."""

    def sabotage(patch: Patch) -> None:
        real = transaction.perform
        patch.setattr(transaction, "perform", lambda services, state, one: None if isinstance(one, action) else real(services, state, one))

    sabotage.__name__ = f"no_{action.__name__}"
    return sabotage


def everybody_may_deploy(patch: Patch) -> None:
    patch.setattr("loadme.core.policies.Policy.is_claimed", lambda *_: False)


def a_repeated_put_without_asking_first(patch: Patch) -> None:
    real = launch_step._deploy
    patch.setattr(launch_step, "_deploy", lambda services, state, item, seen, _is_first: real(services, state, item, seen, True))


def the_next_attempt_does_not_wait_for_the_last_group(patch: Patch) -> None:
    patch.setattr("loadme.core.policies.Policy.is_free", lambda *_: True)


def actions_before_the_write(patch: Patch) -> None:
    """Deploys first and records the launch then."""
    deploy, save = launch_step._put, transaction.save

    def early(services: Any, loaded: Any, after: Any) -> Any:
        for key, item in after.items.items():
            before = loaded.state.items.get(key)
            if item.outcome is None and item.attempt.claim and (before is None or before.attempt.claim != item.attempt.claim):
                deploy(services, after, item, launch_step.context.context(after.run, item.variables.inline, {}))
        return save(services, loaded, after)

    patch.setattr(transaction, "save", early)
    patch.setattr(launch_step, "_deploy", lambda *_: None)


def any_token_will_do(patch: Patch) -> None:
    patch.setattr("loadme.core.tokens.verify", lambda *_: True)


def an_older_attempt_may_report(patch: Patch) -> None:
    """Its report is credited to whatever attempt is current."""

    real = transaction.change

    def change(services: Any, run: str, key: Any, event: Any, found: Any = None) -> Any:
        item = transaction.load(services, run, key).state.items.get(key)
        if item is not None and hasattr(event, "outcome") and hasattr(event, "attempt"):
            event = type(event)(**{**event.__dict__, "attempt": item.attempt_id})
        return real(services, run, key, event, found)

    patch.setattr(callback, "_accepted", lambda state, attempt: state.items[attempt.step, attempt.item].outcome)
    patch.setattr(transaction, "change", change)


def the_quota_is_not_asked(patch: Patch) -> None:
    patch.setattr(quota, "take", lambda *_: Granted())


def the_group_is_deleted_and_not_looked_for_again(patch: Patch) -> None:
    real = clean_up._pass
    patch.setattr(clean_up, "_pass", lambda *given: ("gone", real(*given)[1]))


def tries_are_not_counted(patch: Patch) -> None:
    patch.setattr("loadme.core.retries.spent", lambda item, _outcome: item.spent)


def the_outcome_can_change(patch: Patch) -> None:
    real = attempts.reported
    patch.setattr(
        attempts,
        "reported",
        lambda workflow, item, event, now, is_stopped: real(
            workflow, replace(item, outcome=None, retry=None) if not item.applied else item, event, now, is_stopped
        ),
    )


def cancel_does_nothing(patch: Patch) -> None:
    real = transaction.change_run

    def change(services: Any, run: str, event: Any, *more: Any) -> Any:
        return transaction.load(services, run).state if isinstance(event, Cancel) else real(services, run, event, *more)

    patch.setattr(control.transaction, "change_run", change)


def a_secret_in_the_log(patch: Patch) -> None:
    real = callback._load

    def load(services: Any, attempt: Any) -> Any:
        name = str(attempt)
        callback.log.info("callback", token=launch_step.contract.tokens.sign(services.settings.token_keys, name, services.now()))
        return real(services, attempt)

    patch.setattr(callback, "_load", load)


def the_patrol_is_asleep(patch: Patch) -> None:
    patch.setattr(patrol, "_look_after_all", lambda *_: None)


SABOTAGES = [
    no_etag_check,
    never(CleanUp),
    never(Check),
    never(RequestStep),
    never(Announce),
    everybody_may_deploy,
    a_repeated_put_without_asking_first,
    the_next_attempt_does_not_wait_for_the_last_group,
    actions_before_the_write,
    any_token_will_do,
    an_older_attempt_may_report,
    the_quota_is_not_asked,
    the_group_is_deleted_and_not_looked_for_again,
    tries_are_not_counted,
    the_outcome_can_change,
    cancel_does_nothing,
    a_secret_in_the_log,
    the_patrol_is_asleep,
]


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda sabotage: sabotage.__name__)
def test_a_broken_engine_is_caught(sabotage: Callable[[Patch], None], monkeypatch: Patch) -> None:
    caught(sabotage, monkeypatch, scenarios.build)


@pytest.mark.parametrize("sabotage", SABOTAGES_OF_THE_LANGUAGE, ids=lambda sabotage: sabotage.__name__)
def test_a_language_that_is_broken_is_caught(sabotage: Callable[[Patch], None], monkeypatch: Patch) -> None:
    caught(sabotage, monkeypatch, language.build)


def caught(sabotage: Callable[[Patch], None], monkeypatch: Patch, build: Callable[[int], World]) -> None:
    """Fails unless a seed finds that the sabotage was done, and finds nothing without it."""
    with monkeypatch.context() as patch:
        sabotage(patch)
        seed, why = next(((seed, why) for seed in range(SEEDS) if (why := wrong(build(seed)))), (SEEDS, ""))
    print(f"caught by seed {seed}: {why[:300]}")
    assert why, f"{SEEDS} seeds did not catch it"
    world = build(seed)
    world.play()
    check(world)  # it was the sabotage that was caught


def wrong(world: World) -> str:
    """What is wrong with the world; nothing if it is in order."""
    try:
        world.play(SHORT)
        check(world)
    except (AssertionError, LoadmeError) as caught:
        return str(caught)
    return ""
