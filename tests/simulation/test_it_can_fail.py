"""The simulation is worth something only if it catches an engine that is broken: each sabotage must be found within CI's seeds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from loadme import store, transaction
from loadme.core.events import Check, CleanUp, RequestStep
from loadme.handlers import launch_step
from tests.simulation.invariants import check
from tests.simulation.test_seeds import simulate

SEEDS = 300
Patch = pytest.MonkeyPatch


def no_etag_check(patch: Patch) -> None:
    real = store.write
    patch.setattr(
        store,
        "write",
        lambda tables, run, items=(): real(
            tables,
            store.StoredRun(run=run.run, etag="*") if run else None,
            [store.StoredItem(item=one.item, etag="*") for one in items],
        ),
    )


def never(action: type) -> Callable[[Patch], None]:
    """An action that is forgotten."""

    def sabotage(patch: Patch) -> None:
        real = transaction.perform
        patch.setattr(transaction, "perform", lambda services, state, one: None if isinstance(one, action) else real(services, state, one))

    return sabotage


def everybody_may_deploy(patch: Patch) -> None:
    patch.setattr("loadme.core.policies.Policy.is_claimed", lambda *_: False)


def a_repeated_put_without_asking_first(patch: Patch) -> None:
    real = launch_step._deploy
    patch.setattr(launch_step, "_deploy", lambda services, state, item, _is_first: real(services, state, item, True))


@pytest.mark.parametrize(
    "sabotage",
    [
        no_etag_check,
        never(CleanUp),
        never(Check),
        never(RequestStep),
        everybody_may_deploy,
        a_repeated_put_without_asking_first,
    ],
    ids=["no ETag check", "no cleanup", "no checks", "no requests", "no claim", "no GET before a repeated PUT"],
)
def test_a_broken_engine_is_caught(sabotage: Callable[[Patch], None], monkeypatch: Patch) -> None:
    monkeypatch.setattr("tests.simulation.world.LIMIT", 3 * 3600.0)
    monkeypatch.setattr("tests.simulation.invariants.LIMIT", 3 * 3600.0)
    sabotage(monkeypatch)
    for seed in range(SEEDS):
        try:
            check(simulate(seed))
        except Exception:  # whatever shows that it is broken
            return
    pytest.fail(f"{SEEDS} seeds did not catch it")
