"""Refusals, in ARM's words."""

from __future__ import annotations

from collections.abc import Sequence

from localcloud.arm.errors import GATEWAY, ArmError, bad_request


def forbidden(client: str, actor: str, action: str, scope: str) -> ArmError:
    return ArmError(
        403,
        "AuthorizationFailed",
        f"The client '{client}' with object id '{actor}' does not have authorization to perform action '{action}' over scope '{scope}' or "
        "the scope is invalid. If access was recently granted, please refresh your credentials.",
        headers=GATEWAY,
    )


def link_forbidden(client: str, actor: str, action: str, scope: str, linked_action: str, linked_scope: str) -> ArmError:
    return ArmError(
        403,
        "LinkedAuthorizationFailed",
        f"The client '{client}' with object id '{actor}' has permission to perform action '{action}' on scope '{scope}'; however, it does "
        f"not have permission to perform action(s) '{linked_action}' on the linked scope(s) '{linked_scope}' (respectively) or the linked "
        "scope(s) are invalid.",
        headers=GATEWAY,
    )


def deployment_forbidden(reasons: Sequence[str]) -> ArmError:
    return ArmError(
        403,
        "InvalidTemplateDeployment",
        f"Deployment failed with multiple errors: '{':'.join(reasons)}'",
        headers=GATEWAY,
    )


def resource_forbidden(client: str, actor: str, action: str, scope: str, kind: str, name: str) -> str:
    """One of the reasons why a deployment is refused."""
    return (
        f"Authorization failed for template resource '{name}' of type '{kind}'. The client '{client}' with object id '{actor}' does not "
        f"have permission to perform action '{action}' at scope '{scope}'."
    )


def no_assignment(name: str) -> ArmError:
    return ArmError(404, "RoleAssignmentNotFound", f"The role assignment '{name}' is not found.")


def no_guid(what: str, name: str) -> ArmError:
    code = "InvalidRoleAssignmentId" if what == "assignment" else "InvalidRoleDefinitionId"
    return bad_request(code, f"The role {what} ID '{name}' is not valid. The role {what} ID must be a GUID.")


def assigned_already(name: str) -> ArmError:
    return ArmError(
        409,
        "RoleAssignmentExists",
        f"The role assignment already exists. The ID of the existing role assignment is {name.replace('-', '')}.",
    )


def assignment_is_fixed() -> ArmError:
    return bad_request(
        "RoleAssignmentUpdateNotPermitted", "Tenant ID, application ID, principal ID, and scope are not allowed to be updated."
    )


def no_principal(principal: str, tenant: str) -> ArmError:
    return bad_request(
        "PrincipalNotFound",
        f"Principal {principal.replace('-', '')} does not exist in the directory {tenant}. Check that you have the correct principal ID. "
        "If you are creating this principal and then immediately assigning a role, this error might be related to a replication delay. "
        "In this case, set the role assignment principalType property to a value, such as ServicePrincipal, User, or Group.  "
        "See https://aka.ms/docs-principaltype",
    )


def no_role(name: str) -> ArmError:
    return ArmError(404, "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{name}' does not exist.")


def role_in_use() -> ArmError:
    return bad_request("RoleDefinitionHasAssignments", "There are existing role assignments referencing role definition.")


def role_name_taken(name: str) -> ArmError:
    return ArmError(
        409, "RoleDefinitionWithSameNameExists", f"A custom role with the same name already exists in this directory: '{name}'."
    )


def built_in(name: str) -> ArmError:
    """The local cloud's own words: Azure's are not known."""
    return ArmError(403, "RoleDefinitionIsBuiltIn", f"The role definition '{name}' is built in and cannot be changed or deleted.")


def invalid_scopes(name: str) -> ArmError:
    return bad_request("MissingAssignableScopes", f"The role definition '{name}' must name at least one assignable scope.")


def not_assignable(name: str, scope: str) -> ArmError:
    """The local cloud's own words: Azure's are not known."""
    return bad_request("RoleDefinitionNotAssignable", f"The role definition '{name}' cannot be assigned at the scope '{scope}'.")
