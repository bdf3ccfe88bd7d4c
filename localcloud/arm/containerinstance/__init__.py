"""Microsoft.ContainerInstance."""

from localcloud.arm.containerinstance.handlers import ContainerInstance

__all__ = ["ContainerInstance"]
