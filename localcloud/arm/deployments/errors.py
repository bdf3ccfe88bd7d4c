"""The errors of deployments, in ARM's words."""

from __future__ import annotations

from collections.abc import Iterable

from localcloud.arm.errors import GATEWAY, ArmError, bad_request

_PARAMETER_FILE = "Please see https://aka.ms/arm-create-parameter-file for usage details."


def invalid_template(reason: str, path: str = "") -> ArmError:
    """`path` names the place in the template. ARM gives lines of its own copy of the template; here they are always 1."""
    info = {"type": "TemplateViolation", "info": {"lineNumber": 1, "linePosition": 1, "path": path}}
    extra = {"additionalInfo": [info]} if path else {}
    return bad_request("InvalidTemplate", f"Deployment template validation failed: '{reason}'.", extra=extra)


def invalid_expression(where: str, reason: str) -> ArmError:
    return bad_request(
        "InvalidTemplate", f"Unable to process template language expressions for {where} at line '1' and column '1'. '{reason}'"
    )


def missing_parameter(name: str) -> ArmError:
    reason = f"The value for the template parameter '{name}' at line '1' and column '1' is not provided. {_PARAMETER_FILE}"
    return invalid_template(reason, f"properties.template.parameters.{name}")


def unknown_parameters(names: Iterable[str], known: Iterable[str]) -> ArmError:
    return invalid_template(
        f"The template parameters '{', '.join(names)}' in the parameters file are not valid; they are not present in the original template "
        "and can therefore not be provided at deployment time. The only supported parameters for this template are "
        f"'{', '.join(known)}'. Please see https://aka.ms/arm-pass-parameter-values for usage details."
    )


def wrong_type(name: str, expected: str, actual: str) -> ArmError:
    reason = (
        f"Template parameter JToken type is not valid. Expected '{expected}'. Actual '{actual}'. "
        "Please see https://aka.ms/arm-create-parameter-file for usage details."
    )
    return invalid_template(reason, f"properties.template.parameters.{name}")


def not_allowed(name: str, value: str, allowed: str) -> ArmError:
    return invalid_template(
        f"The provided value '{value}' for the template parameter '{name}' at line '1' and column '1' is not valid. "
        f"The parameter value is not part of the allowed value(s): '{allowed}'.",
        f"properties.template.parameters.{name}",
    )


def out_of_bounds(name: str, bound: str, limit: int) -> ArmError:
    return invalid_template(
        f"The provided value for the template parameter '{name}' is not valid: it breaks the parameter's '{bound}' of '{limit}'",
        f"properties.template.parameters.{name}",
    )


def undefined_resource(name: str) -> ArmError:
    return invalid_template(
        f"The resource '{name}' is not defined in the template. Please see https://aka.ms/arm-syntax-resources for usage details."
    )


def not_found(name: str) -> ArmError:
    return ArmError(404, "DeploymentNotFound", f"Deployment '{name}' could not be found.", headers=GATEWAY)


def active(key: str) -> ArmError:
    return ArmError(
        409,
        "DeploymentActive",
        f"The deployment with resource id '{key}' cannot be saved, because this would overwrite an existing deployment which is still "
        "active. Please see https://aka.ms/arm-deploy for usage details.",
    )


def active_delete(name: str) -> ArmError:
    return ArmError(
        409,
        "DeploymentActive",
        f"The deployment '{name}' cannot be deleted because it is still active. Cancel it or wait for it to finish.",
    )


def being_deleted(name: str) -> ArmError:
    return ArmError(
        409,
        "DeploymentBeingDeleted",
        f"The deployment '{name}' cannot be edited because it is being deleted. Please wait for deletion to finish.",
    )


def history_full(name: str, limit: int, count: int) -> ArmError:
    return ArmError(
        409,
        "DeploymentQuotaExceeded",
        f"Creating the deployment '{name}' would exceed the quota of '{limit}'. The current deployment count is '{count}', please delete "
        "some deployments before creating a new one. Please see https://aka.ms/arm-deploy for usage details.",
    )


def failed(details: list[dict[str, object]]) -> ArmError:
    return ArmError(
        200,
        "DeploymentFailed",
        "At least one resource deployment operation failed. Please list deployment operations for details. "
        "Please see https://aka.ms/arm-deployment-operations for usage details.",
        details=details,
    )
