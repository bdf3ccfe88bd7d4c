"""Azure Resource Manager, as far as loadme needs it: one folder per provider, each cut into routes, handlers, state and errors."""

from localcloud.arm.app import create_app
from localcloud.arm.settings import ArmSettings, Latencies, Limits, Quotas
from localcloud.arm.state import ArmState

__all__ = ["ArmSettings", "ArmState", "Latencies", "Limits", "Quotas", "create_app"]
