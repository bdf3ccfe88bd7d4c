"""How much of what: the size of a trial, and the scale of its times."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from localcloud.arm import ArmSettings, Limits
from localcloud.cloud import CloudSettings

CHECKOUT = Path(__file__).resolve().parents[2]
WORKFLOWS = Path(__file__).parent / "workflows"

SCALED = {
    # Both say the same, 2 minutes in host.json: cleanup may only trust what it sees later than a function can live.
    "LOADME_FUNCTION_TIMEOUT": "10",
    "AzureFunctionsJobHost__functionTimeout": "00:00:10",
    # 10 minutes on Azure, and not to be set: for so long a message stays hidden whose host was killed.
    "LOCALCLOUD_LEASE_SECONDS": "15",
    # 30 s in host.json: for so long a message stays hidden whose worker was killed.
    "AzureFunctionsJobHost__extensions__queues__visibilityTimeout": "00:00:02",
    # 5 and 2 minutes.
    "LOADME_PATROL_PERIOD": "5",
    "LOADME_OVERDUE": "10",
    # As ARM is told below: nothing waits for quota.
    "LOADME_QUOTA_CREATES_5M": "100000",
    "LOADME_QUOTA_CREATES_1H": "100000",
}
"""Times of the app and of the Functions host, shortened so that what takes minutes on Azure takes seconds here."""

Kind = Literal["host", "worker", "storage", "host and storage"]


@dataclass(frozen=True, kw_only=True)
class Strike:
    """After `pause` seconds this is killed; what does not come back by itself is started again after `down` seconds."""

    kind: Kind
    pause: float
    down: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`pace` is the seconds between two starts of runs, `drain` those after which everything must have come to rest."""

    runs: int
    strikes: tuple[Strike, ...]
    seed: int
    pace: float
    drain: float


def make_plan(*, runs: int, seed: int, pace: float, pause: float, drain: float, **kills: int) -> Plan:
    """`kills` says how often each kind (`host`, `worker`, `storage`, `both`) is killed; the seed says in which order, and when."""
    chance = random.Random(seed)  # noqa: S311 (it must repeat)
    names: dict[str, Kind] = {"host": "host", "worker": "worker", "storage": "storage", "both": "host and storage"}
    kinds = [names[name] for name, count in kills.items() for _ in range(count)]
    chance.shuffle(kinds)
    strikes = tuple(Strike(kind=kind, pause=chance.uniform(0.5, 1.5) * pause, down=chance.uniform(0.0, 2.0)) for kind in kinds)
    return Plan(runs=runs, strikes=strikes, seed=seed, pace=pace, drain=drain)


def cloud_settings(folder: Path, app: Path, *, keep: bool) -> CloudSettings:
    """Nothing that ARM does by chance, no quota in the way: what fails here fails of the kills."""
    arm = ArmSettings(restart_probability=0.0, limits=Limits(five_minutes=100_000, hour=100_000))
    return CloudSettings(
        app=app,
        folder=folder,
        workflows=WORKFLOWS,
        fixed_ports=False,
        arm=arm,
        check_first=1.0,
        check_max=2.0,
        environment=SCALED,
        keep=keep,
    )
