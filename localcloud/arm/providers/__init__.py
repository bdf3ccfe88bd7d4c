"""The resource providers: which types each has, in which api-versions; and their registration."""

from localcloud.arm.providers.providers import Providers

__all__ = ["Providers"]
