"""What a client of Azure needs in its environment to find the local cloud instead, by the form in which it logs in."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from localcloud.cli.errors import NotUp
from localcloud.cli.options import STATE
from localcloud.statefile import StateFile

State = Mapping[str, Any]
Environment = dict[str, str]


def _trust(state: State) -> Environment:
    """requests and curl take one of these, aiohttp and httpx the other."""
    return {"REQUESTS_CA_BUNDLE": state["ca"], "SSL_CERT_FILE": state["ca"]}


def _az(state: State) -> Environment:
    """The Azure CLI, with a configuration that goes when the cloud goes: another cloud would not take the tokens in it.

    `az login --identity` asks this machine's service.
    """
    settings = {"COLLECT_TELEMETRY": "false", "INSTANCE_DISCOVERY": "false", "LOGIN_EXPERIENCE_V2": "false"}
    return {
        **_names(state),
        **_imds(state),
        "AZURE_CONFIG_DIR": str(Path(state["ca"]).parents[1] / "az"),
        **{f"AZURE_CORE_{name}": value for name, value in settings.items()},
    }


def _proxy(state: State) -> Environment:
    return {"HTTPS_PROXY": state["proxy"], "NO_PROXY": "127.0.0.1,localhost"}


def _names(state: State) -> Environment:
    """Everything under Azure's own names."""
    return {**_trust(state), **_proxy(state)}


def _application(state: State) -> Environment:
    return {
        **_trust(state),
        "AZURE_AUTHORITY_HOST": state["login"],
        "AZURE_TENANT_ID": state["tenant"],
        "AZURE_CLIENT_ID": state["deployer"]["client_id"],
    }


def _secret(state: State) -> Environment:
    return {**_application(state), "AZURE_CLIENT_SECRET": state["deployer"]["secret"]}


def _certificate(state: State) -> Environment:
    return {**_application(state), "AZURE_CLIENT_CERTIFICATE_PATH": state["deployer"]["certificate"]}


def _workload(state: State) -> Environment:
    return {**_application(state), "AZURE_FEDERATED_TOKEN_FILE": state["deployer"]["federated_token"]}


def _app_service(state: State) -> Environment:
    return {**_trust(state), "IDENTITY_ENDPOINT": f"{state['identity']}/msi/token", "IDENTITY_HEADER": state["app_identity_header"]}


def _imds(state: State) -> Environment:
    return {**_trust(state), "AZURE_POD_IDENTITY_AUTHORITY_HOST": f"{state['machine']['identity']}/machine"}


def _arc(state: State) -> Environment:
    place = f"{state['machine']['identity']}/arc"
    return {**_trust(state), "IDENTITY_ENDPOINT": f"{place}/metadata/identity/oauth2/token", "IMDS_ENDPOINT": place}


def _service_fabric(state: State) -> Environment:
    machine = state["machine"]
    return {
        **_trust(state),
        "IDENTITY_ENDPOINT": f"{machine['identity_tls']}/servicefabric/token",
        "IDENTITY_HEADER": machine["secret"],
        "IDENTITY_SERVER_THUMBPRINT": machine["thumbprint"],
    }


def _cloud_shell(state: State) -> Environment:
    return {**_trust(state), "MSI_ENDPOINT": f"{state['machine']['identity']}/cloudshell/token"}


def _machine_learning(state: State) -> Environment:
    machine = state["machine"]
    return {**_trust(state), "MSI_ENDPOINT": f"{machine['identity']}/azureml/token", "MSI_SECRET": machine["secret"]}


FORMS: Mapping[str, Callable[[State], Environment]] = {
    "names": _names,
    "az": _az,
    "secret": _secret,
    "certificate": _certificate,
    "workload": _workload,
    "app-service": _app_service,
    "imds": _imds,
    "arc": _arc,
    "service-fabric": _service_fabric,
    "cloud-shell": _cloud_shell,
    "azure-ml": _machine_learning,
}


@click.command("env")
@click.argument("form", type=click.Choice(list(FORMS)), default="names")
def env(form: str) -> None:
    """Print what Azure's clients need in their environment to come here.

    \b
    names           under Azure's own names, by a proxy; who logs in is yours to say
    az              the Azure CLI, with a configuration of its own, which goes when the cloud goes
    secret, certificate, workload
                    azure-identity as an application: the deployer, who is an Owner
    app-service     azure-identity as the function app
    imds, arc, service-fabric, cloud-shell, azure-ml
                    azure-identity as a managed identity of this machine, an Owner as well

    \b
    Examples:
      eval "$(python -m localcloud env az)"
      eval "$(python -m localcloud env imds)"
    """
    found = StateFile(STATE).read()
    if not found:
        raise NotUp("none is up in this folder")
    for name, value in FORMS[form](found).items():
        click.echo(f"export {name}={shlex.quote(value)}")
