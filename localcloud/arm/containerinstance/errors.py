"""ACI's own errors, in its own words where they are known (its spelling, too)."""

from __future__ import annotations

from collections.abc import Iterable

from localcloud.arm.errors import ArmError, bad_request


def not_found(group: str) -> ArmError:
    return ArmError(404, "ContainerGroupNotFound", f"The container group '{group}' does not exist.")


def transitioning(group: str) -> ArmError:
    return ArmError(409, "ContainerGroupTransitioning", f"The container group '{group}' is still transitioning, please retry later.")


def no_such_container(group: str, container: str) -> ArmError:
    return ArmError(404, "ContainerNotFound", f"The container '{container}' in container group '{group}' does not exist.")


def no_log(group: str, container: str) -> ArmError:
    return ArmError(404, "ContainerLogNotAvailable", f"The log of container '{container}' in container group '{group}' is not available.")


def invalid_update(group: str) -> ArmError:
    return bad_request(
        "InvalidContainerGroupUpdate",
        f"The updates on container group '{group}' are invalid. If you are going to update the os type, restart policy, network profile, "
        "CPU, memory or GPU resources for a container group, you must delete it first and then create a new one.",
    )


_NAMES = "must contain no more than 63 characters and must match the regex '[a-z0-9]([-a-z0-9]*[a-z0-9])?' (e.g. 'my-name')."


def invalid_name(name: str) -> ArmError:
    """After the words for a container, which are Azure's."""
    return bad_request("InvalidContainerGroupName", f"The container group name '{name}' is invalid. The container group name {_NAMES}")


def invalid_container_name(name: str, group: str) -> ArmError:
    return bad_request(
        "InvalidContainerName", f"The container name '{name}' in container group '{group}' is invalid. The container name {_NAMES}"
    )


def invalid_variable(container: str, group: str) -> ArmError:
    return bad_request(
        "InvalidContainerEnvironmentVariable",
        f"The environment variable name in container '{container}' of container group '{group}' is invalid. A valid environment variable "
        "name must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_' (e.g. 'my_name',  or "
        "'MY_NAME',  or 'MyName').",
    )


def inaccessible_image(image: str, group: str, advice: str) -> ArmError:
    """ACI's error; `advice`, which is the local cloud's own, is a detail of it."""
    return bad_request(
        "InaccessibleImage",
        f"The image '{image}' in container group '{group}' is not accessible. Please check the image and registry credential.",
        details=[{"code": "LocalCloudImageMap", "message": advice}],
    )


def registry_error(server: str, advice: str) -> ArmError:
    """ACI's error for a registry that answers with an error of its own; `advice` is the local cloud's own detail."""
    return ArmError(
        409,
        "RegistryErrorResponse",
        f"An error response is received from the docker registry '{server}'. Please retry later.",
        details=[{"code": "LocalCloudRegistry", "message": advice}],
    )


def quota_reached(quota: str, region: str, limit: int, usage: float, requested: float) -> ArmError:
    return bad_request(
        "ContainerGroupQuotaReached",
        f"Resource type 'Microsoft.ContainerInstance/containerGroups' container group quota '{quota}' exceeded in region '{region}'. "
        f"Limit: '{limit}', Usage: '{usage:g}' Requested: '{requested:g}'.",
    )


def no_resources(container: str, group: str) -> ArmError:
    return bad_request(
        "ResourceRequestsNotSpecified",
        f"The resource requests are not specified in container '{container}' of contain group '{group}'. Both memory and CPU requests are "
        "required since API version '2017-07-01-preview'.",
    )


def too_little(group: str, resource: str, given: float) -> ArmError:
    return bad_request(
        "InvalidResourceRequests",
        f"The total '{resource}' request '{given:g}' of container group '{group}' is invalid: it must be at least 1.",
    )


def foreign_identity(group: str) -> ArmError:
    return bad_request(
        "InvalidImageRegistryIdentity",
        f"The identity in the 'imageRegistryCredentials' of container group '{group}' not found in container group identity list.",
    )


def no_priority(group: str) -> ArmError:
    return bad_request("PriorityNotSpecified", f"The 'Priority' must be one of 'Regular,Spot' for container group '{group}'.")


def spot_in_a_network() -> ArmError:
    return bad_request(
        "SpotPriorityContainerGroupNotSupportedForInboundConnectivity",
        "Spot Priority is not supported for container groups with inbound connectivity.",
    )


def spot_elsewhere(location: str, known: Iterable[str]) -> ArmError:
    """The local cloud's own words: Azure's are not known."""
    return bad_request(
        "SpotPriorityContainerGroupNotSupportedInRegion",
        f"Spot Priority Container Group is not supported in '{location}'. It is supported in '{','.join(known)}'.",
    )


def too_much(group: str, resource: str, given: float, most: float) -> ArmError:
    """The local cloud's own words: Azure's are not known."""
    return bad_request(
        "InvalidResourceRequests",
        f"The total '{resource}' request '{given:g}' of container group '{group}' is invalid: it must be at most {most:g}.",
    )


def invalid_volume(what: str, group: str) -> ArmError:
    """The local cloud's own words: Azure's are not known."""
    return bad_request("InvalidVolume", f"A volume of container group '{group}' is invalid: {what}.")


def invalid_subnet(given: str) -> ArmError:
    return bad_request("InvalidSubnetId", f"The subnet '{given}' is not the resource id of a subnet.")


def init_failed(container: str, group: str, code: int) -> ArmError:
    """The local cloud's own words: Azure's are not known."""
    return bad_request(
        "InitContainerFailed", f"The init container '{container}' of container group '{group}' ended with exit code '{code}'."
    )


def stopped(group: str, resource_group: str) -> ArmError:
    """Azure's words; that the status is 409 is a guess."""
    return ArmError(409, "ContainerGroupStopped", f"Container Group '{group}' in resource group '{resource_group}' is stopped.")


def no_network_profile(profile: str) -> ArmError:
    """Azure's code; the words are the local cloud's own."""
    return bad_request("NetworkProfileNotFound", f"The network profile '{profile}' cannot be found.")


def label_taken(label: str, group: str) -> ArmError:
    return bad_request(
        "DnsNameLabelAlreadyTaken",
        f"The DNS name label '{label}' in container group '{group}' is not available. Try using a different label.",
    )


def no_ports(group: str) -> ArmError:
    return bad_request("MissingIpAddressPorts", f"The ports in the 'ipAddress' of container group '{group}' cannot be empty.")


def public_in_a_network() -> ArmError:
    return bad_request("InvalidIpAddressTypeForNetworkProfile", "IP Address type can't be public when network profile is set.")


def private_without_a_network(group: str) -> ArmError:
    return bad_request(
        "PrivateIPAddressNotSupported",
        f"IP Address type in container group '{group}' is invalid. Private IP address is only supported when network profile is defined.",
    )


def invalid_address(what: str, group: str) -> ArmError:
    """The local cloud's own words: Azure's are not known."""
    return bad_request("InvalidIpAddress", f"The 'ipAddress' of container group '{group}' is invalid: {what}.")


def invalid_port(given: object, group: str) -> ArmError:
    """The local cloud's own words: Azure's are not known."""
    return bad_request("InvalidPort", f"The port '{given}' of container group '{group}' is invalid: it must be from 1 to 65535.")


def invalid_identity(what: str, group: str) -> ArmError:
    """The local cloud's own words: Azure's are not known."""
    return bad_request("InvalidIdentity", f"The identity of container group '{group}' is invalid: {what}.")


def invalid_probe(what: str, container: str, group: str) -> ArmError:
    """The local cloud's own words: Azure's are not known."""
    return bad_request("InvalidProbe", f"A probe of container '{container}' of container group '{group}' is invalid: {what}.")


def invalid_policy(group: str) -> ArmError:
    """The local cloud's own words: Azure's are not known."""
    return bad_request("InvalidCcePolicy", f"The 'ccePolicy' of container group '{group}' is not in base64.")


def invalid_limits(container: str, group: str, resource: str) -> ArmError:
    """The local cloud's own words: Azure's are not known."""
    return bad_request(
        "InvalidResourceLimits", f"The '{resource}' limit of container '{container}' of container group '{group}' is less than its request."
    )


def old_credential(group: str) -> ArmError:
    return bad_request(
        "InvalidImageRegistryCredentialType", f"Identity in 'imageRegistryCredentials' of container group '{group}' is not supported."
    )


def ambiguous_credential(server: str, group: str) -> ArmError:
    """Azure's code, spelt as Azure spells it; the words are the local cloud's own."""
    return bad_request(
        "AmbiguousImageResitryCredentialType",
        f"The credential for '{server}' in the 'imageRegistryCredentials' of container group '{group}' has an identity and a username.",
    )


def spot_with_sku(sku: str) -> ArmError:
    return bad_request("SpotPriorityContainerGroupNotSupportedInSku", f"Spot Priority Container Group is not supported in '{sku}' Sku.")


def spot_with_gpu() -> ArmError:
    return bad_request(
        "SpotPriorityContainerGroupWithGPUResourcesNotSupported",
        "Spot Priority Container Groups that include containers requesting GPU resources are not supported.",
    )


def only_tags(group: str, given: Iterable[str]) -> ArmError:
    """The local cloud's own words: Azure's are not known."""
    return bad_request(
        "InvalidContainerGroupPatch", f"A PATCH of container group '{group}' can change its tags and zones, and not '{','.join(given)}'."
    )


def elsewhere(name: str, group: str, known: str, wanted: str) -> ArmError:
    """ARM's own: a resource stays in its region."""
    return ArmError(
        409,
        "InvalidResourceLocation",
        f"The resource '{name}' already exists in location '{known}' in resource group '{group}'. A resource with the same name cannot be "
        f"created in location '{wanted}'. Please select a new resource name.",
    )
