"""The errors of vaults in ARM, in Azure's words."""

from __future__ import annotations

from localcloud.arm.errors import GATEWAY, ArmError, bad_request

_USAGE = "Please see https://aka.ms/arm-keyvault for usage details."


def invalid_name(name: str) -> ArmError:
    return bad_request(
        "VaultNameNotValid",
        f"The vault name '{name}' is invalid. A vault's name must be between 3-24 alphanumeric characters. The name must begin with a "
        "letter, end with a letter or digit, and not contain consecutive hyphens.",
    )


def name_taken(name: str) -> ArmError:
    return ArmError(
        409,
        "VaultAlreadyExists",
        f"The vault name '{name}' is already in use. Vault names are globaly unique so it is possible that the name is already taken. "
        "If you are sure that the vault name was not taken then it is possible that a vault with the same name was recently deleted but "
        "not purged after being placed in a recoverable state. If the vault is in a recoverable state then the vault will need to be "
        "purged before reusing the name. For more information about VaultAlreadyExists, soft delete and purging a vault follow this link "
        "https://go.microsoft.com/fwlink/?linkid=2147740.",
    )


def still_deleted() -> ArmError:
    return ArmError(
        409,
        "ConflictError",
        "A vault with the same name already exists in deleted state. You need to either recover or purge existing key vault. Follow this "
        "link https://go.microsoft.com/fwlink/?linkid=2149745 for more information on soft delete.",
    )


def not_deleted(name: str) -> ArmError:
    return ArmError(404, "DeletedVaultNotFound", f"The specified deleted vault '{name}' does not exist.")


def purge_protected(name: str) -> ArmError:
    return ArmError(
        405, "MethodNotAllowed", f"Operation \"DeletedVaultPurge\" is not allowed, because purge protection is enabled on vault '{name}'."
    )


def missing(what: str) -> ArmError:
    return bad_request("BadRequest", f'The parameter "{what}" is not specified or is invalid.')


def no_unprotecting() -> ArmError:
    return bad_request(
        "BadRequest",
        'The property "enablePurgeProtection" cannot be set to false. Enabling the purge protection for a vault is an irreversible action.',
    )


def retention_is_fixed() -> ArmError:
    return bad_request("BadRequest", 'The property "softDeleteRetentionInDays" has been set already and it can\'t be modified.')


def invalid_retention(least: int, most: int) -> ArmError:
    """The local cloud's own words: Azure's are not known."""
    return bad_request("BadRequest", f'The property "softDeleteRetentionInDays" must be between {least} and {most}.')


def not_enabled(vault: str) -> ArmError:
    return ArmError(
        403,
        "KeyVaultParameterReferenceSecretRetrieveFailed",
        f"The KeyVault '{vault}' is not enabled for template deployment: set enabledForTemplateDeployment. {_USAGE}",
        headers=GATEWAY,
    )


def no_such_vault(vault: str) -> ArmError:
    return ArmError(
        404, "KeyVaultParameterReferenceNotFound", f"The specified KeyVault '{vault}' could not be found. {_USAGE}", headers=GATEWAY
    )


def may_not_deploy(client: str, actor: str, vault: str) -> ArmError:
    return ArmError(
        403,
        "KeyVaultParameterReferenceAuthorizationFailed",
        f"The client '{client}' with object id '{actor}' does not have permission to perform action "
        f"'MICROSOFT.KEYVAULT/VAULTS/DEPLOY/ACTION' on the specified KeyVault resource '{vault}'. {_USAGE}",
        headers=GATEWAY,
    )


def not_retrieved(secret: str, status: str, reason: str) -> ArmError:
    return bad_request(
        "KeyVaultParameterReferenceSecretRetrieveFailed",
        f"The secret of KeyVault parameter '{secret}' cannot be retrieved. Http status code: '{status}'. Error message: "
        f"'{reason}'. {_USAGE}",
        headers=GATEWAY,
    )
