"""Azure Resource Manager, as far as loadme needs it: template specs, deployments and container groups of one resource group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from loadme.azure.client import brief_retry, client_options, error_code, translated
from loadme.azure.resource_ids import RegistryId, parse_registry_id, parse_spec_id
from loadme.core.arm import ArmError, ContainerState, Deployment, Group, RegistryCredentials, TemplateParameter, Usage
from loadme.errors import Absent, Retryable, Terminal

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.mgmt.containerinstance import ContainerInstanceManagementClient
    from azure.mgmt.containerinstance import models as aci
    from azure.mgmt.containerregistry import ContainerRegistryManagementClient
    from azure.mgmt.containerregistry.models import RegistryListCredentialsResult
    from azure.mgmt.resource.deployments import DeploymentsMgmtClient
    from azure.mgmt.resource.deployments import models as deployments

ENDPOINT = "https://management.azure.com"

# A log that cannot be read yet, or not any more; the group itself is there.
NO_LOG = {"ContainerLogNotAvailable", "ContainerGroupStopped"}


class AzureArm:
    """The genuine ARM, or whatever answers at `endpoint` as it does. Clients are made when they are first needed."""

    def __init__(
        self, credential: TokenCredential, subscription: str, resource_group: str, *, endpoint: str = ENDPOINT, ca_file: str = ""
    ) -> None:
        self._credential = credential
        self._subscription = subscription
        self._resource_group = resource_group
        self._endpoint = endpoint.rstrip("/")
        self._ca_file = ca_file

    def _options(self) -> dict[str, Any]:
        # A policy belongs to one client: it holds the next one of that client's pipeline.
        return client_options(self._ca_file) | {"base_url": self._endpoint, "retry_policy": brief_retry()}

    @cached_property
    def _resources(self) -> DeploymentsMgmtClient:
        from azure.mgmt.resource.deployments import DeploymentsMgmtClient

        return DeploymentsMgmtClient(self._credential, self._subscription, **self._options())

    @cached_property
    def _containers(self) -> ContainerInstanceManagementClient:
        from azure.mgmt.containerinstance import ContainerInstanceManagementClient

        return ContainerInstanceManagementClient(self._credential, self._subscription, **self._options())

    def template_parameters(self, spec_id: str) -> tuple[TemplateParameter, ...]:
        """See Arm."""
        from azure.mgmt.resource.templatespecs import TemplateSpecsClient

        spec = parse_spec_id(spec_id)
        with (
            translated(f"reading template spec {spec.name} {spec.version}"),
            TemplateSpecsClient(self._credential, spec.subscription, **self._options()) as client,
        ):
            version = client.template_spec_versions.get(spec.resource_group, spec.name, spec.version)
        declared: dict[str, dict[str, Any]] = (version.main_template or {}).get("parameters", {})
        return tuple(TemplateParameter(name, str(each.get("type", "")).lower(), "defaultValue" in each) for name, each in declared.items())

    def deploy(self, name: str, spec_id: str, parameters: Mapping[str, Any]) -> None:
        """See Arm."""
        values = {parameter: {"value": value} for parameter, value in parameters.items()}
        properties = {"mode": "Incremental", "templateLink": {"id": spec_id}, "parameters": values}
        body: Any = {"properties": properties}
        try:
            with translated(f"deploying {name}"):
                # One try only: should the answer be lost, the next one might run a deployment again that is over.
                self._resources.deployments.begin_create_or_update(self._resource_group, name, body, polling=False, retry_total=0)
        except Retryable as error:
            if error.code != "DeploymentActive":
                raise
        except Absent as error:
            # The resource group or the template spec: neither comes by itself.
            cause: Any = error.__cause__
            raise Terminal(str(error), code=error_code(cause)) from cause

    def deployment(self, name: str) -> Deployment | None:
        """See Arm."""
        try:
            with translated(f"reading deployment {name}"):
                return _deployment(self._resources.deployments.get(self._resource_group, name), name)
        except Absent:
            return None

    def deployments(self) -> Iterator[Deployment]:
        """See Arm."""
        with translated("listing deployments"):
            for found in self._resources.deployments.list_by_resource_group(self._resource_group):
                yield _deployment(found, str(found.name))

    def delete_deployment(self, name: str) -> None:
        """See Arm."""
        with suppress(Absent), translated(f"deleting deployment {name}"):
            self._resources.deployments.begin_delete(self._resource_group, name, polling=False)

    def group(self, name: str) -> Group | None:
        """See Arm."""
        try:
            with translated(f"reading container group {name}"):
                return _group(self._containers.container_groups.get(self._resource_group, name))
        except Absent:
            return None

    def logs(self, name: str, container: str, tail: int | None = None) -> str | None:
        """See Arm."""
        try:
            with translated(f"reading the log of {name}"):
                content = self._containers.containers.list_logs(self._resource_group, name, container, tail=tail).content
        except Absent:
            return None
        except (Terminal, Retryable) as error:
            if error.code not in NO_LOG:
                raise
            return None
        return str(content) if content is not None else None

    def delete_group(self, name: str) -> None:
        """See Arm."""
        with suppress(Absent), translated(f"deleting container group {name}"):
            self._containers.container_groups.begin_delete(self._resource_group, name, polling=False)

    def groups(self) -> Iterator[Group]:
        """See Arm."""
        with translated("listing container groups"):
            for found in self._containers.container_groups.list_by_resource_group(self._resource_group):
                yield _group(found)

    def usages(self, location: str) -> dict[str, Usage]:
        """See Arm."""
        with translated(f"reading the quotas of {location}"):
            found: list[Any] = list(self._containers.location.list_usage(location))  # models whose fields are declared as None
        return {each.name.value: Usage(each.current_value or 0, each.limit or 0) for each in found}

    def registry_credentials(self, registry_id: str) -> RegistryCredentials:
        """See Arm."""
        registry = parse_registry_id(registry_id)
        with self._registries(registry.subscription) as client:
            with translated(f"reading the admin credentials of registry {registry.name}"):
                found = client.registries.list_credentials(registry.resource_group, registry.name)
            server = _login_server(client, registry)
        return RegistryCredentials(server, found.username or registry.name, _first_password(found, registry))

    def _registries(self, subscription: str) -> ContainerRegistryManagementClient:
        from azure.mgmt.containerregistry import ContainerRegistryManagementClient

        return ContainerRegistryManagementClient(self._credential, subscription, **self._options())

    def close(self) -> None:
        """Closes the connections."""
        for name in ("_resources", "_containers"):
            if name in self.__dict__:
                getattr(self, name).close()


def _login_server(client: ContainerRegistryManagementClient, registry: RegistryId) -> str:
    try:
        with translated(f"reading registry {registry.name}"):
            found = client.registries.get(registry.resource_group, registry.name)
    except Terminal:  # a role that may list the credentials need not be one that may read the registry
        return f"{registry.name.lower()}.azurecr.io"
    return (found.properties.login_server if found.properties else None) or f"{registry.name.lower()}.azurecr.io"


def _first_password(found: RegistryListCredentialsResult, registry: RegistryId) -> str:
    password = next((each.value for each in found.passwords or () if each.value), None)
    if password is None:
        raise Terminal(f"Registry {registry.name} gave no password for its admin account.", code="NoRegistryPassword")
    return password


def _deployment(found: deployments.DeploymentExtended, name: str) -> Deployment:
    properties = found.properties
    if properties is None:
        return Deployment(name, "")
    error = _error(properties.error) if properties.error else None
    return Deployment(name, _word(properties.provisioning_state), error, properties.timestamp)


def _error(found: deployments.ErrorResponse) -> ArmError:
    return ArmError(found.code or "", found.message or "", tuple(_error(detail) for detail in found.details or ()))


def _group(found: aci.ContainerGroup) -> Group:
    view = found.instance_view
    return Group(
        name=str(found.name),
        provisioning_state=_word(found.provisioning_state),
        state=_word(view.state if view else None),
        containers={container.name: _container(container.instance_view) for container in found.containers},
        init={container.name: _container(container.instance_view) for container in found.init_containers or ()},
        tags=dict(found.tags or {}),
        events=_events(view.events if view else None),
        location=str(found.location or ""),
    )


def _container(view: aci.ContainerPropertiesInstanceView | aci.InitContainerPropertiesDefinitionInstanceView | None) -> ContainerState:
    current: Any = view.current_state if view else None  # the SDK's models declare their read-only fields as None
    if view is None or current is None:
        return ContainerState()
    return ContainerState(
        state=current.state or "",
        exit_code=current.exit_code,
        started_at=current.start_time,
        finished_at=current.finish_time,
        detail_status=current.detail_status or "",
        restart_count=view.restart_count or 0,
        events=_events(view.events),
    )


def _word(value: str | None) -> str:
    """What ARM wrote: some of the SDK's models make an enum of it, which prints as something else."""
    return str(getattr(value, "value", value) or "")


def _events(events: list[aci.Event] | None) -> tuple[str, ...]:
    return tuple(f"{event.name}: {event.message}" for event in events or ())
