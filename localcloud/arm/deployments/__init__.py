"""Microsoft.Resources/deployments."""

from localcloud.arm.deployments.handlers import Deployments

__all__ = ["Deployments"]
