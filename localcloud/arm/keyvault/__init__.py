"""Microsoft.KeyVault: vaults as ARM has them, and who may ask them for secrets."""

from localcloud.arm.keyvault.guard import SecretsGuard
from localcloud.arm.keyvault.vaults import KeyVaults

__all__ = ["KeyVaults", "SecretsGuard"]
