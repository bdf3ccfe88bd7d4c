"""The resource providers: which types each has, in which api-versions; and their registration."""

from localcloud.arm.providers.providers import Providers
from localcloud.arm.providers.versions import TOP_LEVEL

__all__ = ["TOP_LEVEL", "Providers"]
