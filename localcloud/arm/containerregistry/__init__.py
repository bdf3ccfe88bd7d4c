"""Microsoft.ContainerRegistry: registries and their admin accounts, without any images."""

from localcloud.arm.containerregistry.registries import ContainerRegistry

__all__ = ["ContainerRegistry"]
