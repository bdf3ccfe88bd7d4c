"""Microsoft.Authorization: role definitions, role assignments, and whether they allow what somebody is about to do."""

from localcloud.arm.authorization.authorization import Authorization

__all__ = ["Authorization"]
