"""The settings of a cloud for tests: as quick as it can be, and without surprises that nobody asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from localcloud.arm.settings import ArmSettings, Limits
from localcloud.child import CHECKOUT
from localcloud.settings import CloudSettings

SCALE = 0.001
UNLIMITED = (1_000_000, 1_000_000.0)

QUICK: Mapping[str, str] = {
    # All queues are looked at whenever a function has run, not only when the next poll is due.
    "LOCALCLOUD_WAKE": "1",
    "AzureFunctionsJobHost__extensions__queues__maxPollingInterval": "00:00:00.250",
    # Both say the same: cleanup may only trust what it sees later than a function can live.
    "AzureFunctionsJobHost__functionTimeout": "00:00:05",
    "LOADME_FUNCTION_TIMEOUT": "5",
}


def quick_settings(folder: Path, *, app: Path | None = None, workflows: Path | None = None, scale: float = SCALE) -> CloudSettings:
    """For `folder`, which is the cloud's own; the app is loadme's checkout unless another one is given."""
    limits = Limits(five_minutes=1_000, hour=1_000, reads=UNLIMITED, writes=UNLIMITED, deletes=UNLIMITED)
    arm = ArmSettings(hidden_probability=0.0, restart_probability=0.0, limits=limits)
    return CloudSettings(
        app=app or CHECKOUT,
        folder=folder,
        workflows=workflows,
        fixed_ports=False,
        scale=scale,
        arm=arm,
        check_first=1.0,
        check_max=1.0,
        memory=True,
        relay=("functions",),
        environment=QUICK,
    )
