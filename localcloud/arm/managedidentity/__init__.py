"""Microsoft.ManagedIdentity: user-assigned identities."""

from localcloud.arm.managedidentity.identities import ManagedIdentity

__all__ = ["ManagedIdentity"]
