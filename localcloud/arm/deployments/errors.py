"""The errors of deployments, in ARM's words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from localcloud.arm.errors import GATEWAY, ArmError, bad_request

_PARAMETER_FILE = "Please see https://aka.ms/arm-create-parameter-file for usage details."


def invalid_template(reason: str, path: str = "") -> ArmError:
    """`path` names the place in the template; `positions.placed` finds its line. Without one ARM says 0: recorded."""
    line = 1 if path else 0
    return bad_request("InvalidTemplate", f"Deployment template validation failed: '{reason}'.", extra=_violation(line, path))


def invalid_expression(where: str, reason: str) -> ArmError:
    message = f"Unable to process template language expressions for {where} at line '1' and column '1'. '{reason}'"
    return bad_request("InvalidTemplate", message, extra=_violation(1, ""))


def _violation(line: int, path: str) -> Mapping[str, object]:
    info = {"lineNumber": line, "linePosition": line, "path": path}
    return {"additionalInfo": [{"type": "TemplateViolation", "info": info}]}


def missing_parameter(name: str) -> ArmError:
    reason = f"The value for the template parameter '{name}' at line '1' and column '1' is not provided. {_PARAMETER_FILE}"
    return invalid_template(reason, f"properties.template.parameters.{name}")


def unknown_parameters(names: Iterable[str], known: Iterable[str]) -> ArmError:
    return invalid_template(
        f"The template parameters '{', '.join(names)}' in the parameters file are not valid; they are not present in the original template "
        "and can therefore not be provided at deployment time. The only supported parameters for this template are "
        f"'{', '.join(known)}'. Please see https://aka.ms/arm-pass-parameter-values for usage details."
    )


def doubled_parameters(names: Iterable[str]) -> ArmError:
    return bad_request(
        "CaseSensitiveDeploymentParameterNamesFound",
        f"The deployment parameters are using case sensitive names. The error parameter name(s): {', '.join(names)}. {_PARAMETER_FILE}",
    )


def invalid_parameter(name: str, inside: str, reason: str) -> ArmError:
    """`inside` is the place in the value, `.storageName` or `[0]`; the words are recorded."""
    return invalid_template(
        f"The provided value for the template parameter '{name}{inside}' is not valid. {reason}", f"properties.template.parameters.{name}"
    )


def undefined_resource(name: str) -> ArmError:
    return invalid_template(
        f"The resource '{name}' is not defined in the template. Please see https://aka.ms/arm-syntax-resources for usage details."
    )


def not_found(name: str) -> ArmError:
    return ArmError(404, "DeploymentNotFound", f"Deployment '{name}' could not be found.", headers=GATEWAY)


def operation_not_found(operation: str, name: str) -> ArmError:
    """The local cloud's own words: Azure's are not known."""
    return ArmError(404, "DeploymentOperationNotFound", f"The operation '{operation}' of deployment '{name}' could not be found.")


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


def no_complete_mode(name: str) -> ArmError:
    return bad_request(
        "InvalidDeployment",
        f"The deployment '{name}' cannot use the mode 'Complete' at subscription scope. "
        "Please see https://aka.ms/deploy-to-subscription for usage details.",
    )


def no_location(location: str, known: Iterable[str]) -> ArmError:
    return bad_request(
        "LocationNotAvailableForDeployment",
        f"The provided location '{location}' is not available for deployment. List of available regions is '{','.join(known)}'.",
    )


def elsewhere(name: str, location: str, known: str) -> ArmError:
    return ArmError(
        409,
        "InvalidDeploymentLocation",
        f"Invalid deployment location '{location}'. The deployment '{name}' already exists in location '{known}'.",
    )


def not_active(name: str, state: str) -> ArmError:
    """The code is Azure's, the words are the local cloud's own: Azure's are not known."""
    return ArmError(
        409, "DeploymentCannotBeCancelled", f"The deployment '{name}' cannot be cancelled: it is not active, its state is '{state}'."
    )


def wrong_segments(name: str, kind: str) -> ArmError:
    return invalid_template(
        f"The template resource '{name}' for type '{kind}' at line '1' and column '1' has incorrect segment lengths. A nested resource "
        "type must have identical number of segments as its resource name. A root resource type must have segment length one greater "
        "than its resource name. Please see https://aka.ms/arm-syntax-resources for usage details."
    )


def too_many_resources(limit: int, actual: int) -> ArmError:
    return invalid_template(f"The number of template resources limit exceeded. Limit: '{limit}' and actual: '{actual}'")


def defined_twice(key: str) -> ArmError:
    return invalid_template(
        f"The resource '{key}' at line '1' and column '1' is defined multiple times in a template. "
        "Please see https://aka.ms/arm-template/#resources for usage details."
    )


def not_valid(what: str, name: str, reason: str) -> ArmError:
    """`what` is `resource`, `variable`, `output` or `parameter`; for the last the words are those of the others."""
    place = " at line '1' and column '1'" if what == "resource" else ""
    return invalid_template(
        f"The template {what} '{name}'{place} is not valid: {reason}. Please see https://aka.ms/arm-template-expressions for usage details."
    )


def unknown_reference(word: str) -> ArmError:
    return invalid_template(
        f"The template reference '{word}' is not valid: could not find template resource or resource copy with this name. "
        "Please see https://aka.ms/arm-function-reference for usage details."
    )


def no_version(referrer: str, referred: str) -> ArmError:
    return invalid_template(
        f"The template resource '{referrer}' reference to '{referred}' requires an API version. "
        "Please see https://aka.ms/arm-template for usage details."
    )


def outputs_failed(reasons: Mapping[str, str]) -> ArmError:
    code = "DeploymentOutputEvaluationFailed"
    details = [
        {"code": code, "target": name, "message": f"The template output '{name}' is not valid: {reason}."}
        for name, reason in reasons.items()
    ]
    return ArmError(
        200,
        code,
        f"Unable to evaluate template outputs: '{','.join(reasons)}'. Please see error details and deployment operations. "
        "Please see https://aka.ms/arm-common-errors for usage details.",
        details=details,
    )


def failed(details: list[dict[str, object]]) -> ArmError:
    return ArmError(
        200,
        "DeploymentFailed",
        "At least one resource deployment operation failed. Please list deployment operations for details. "
        "Please see https://aka.ms/arm-deployment-operations for usage details.",
        details=details,
    )
