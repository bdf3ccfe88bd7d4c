"""Where managed identities get their tokens, in each of the forms in which Azure gives them: one path for each.

All speak plain HTTP, as on Azure, but for Service Fabric's, which wants TLS: the same application is served so as well. A cloud serves
the machine's below a path that nobody guesses (see `gate`).

| path | form |
|---|---|
| `/msi/token` | App Service and Functions: the app's identity |
| `/metadata/identity/oauth2/token` | the instance metadata service, of all container groups together |
| `/groups/{name}/metadata/…` | that of one container group: on Azure each has one to itself |
| `/machine/metadata/…` | that of a virtual machine, which has an identity of its own and every user-assigned one |
| `/arc/metadata/identity/oauth2/token` | Azure Arc's agent on that machine: the caller proves that it may read a file |
| `/servicefabric/token` | Service Fabric |
| `/cloudshell/token` | Cloud Shell |
| `/azureml/token` | Azure Machine Learning |
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import Route

from localcloud.identity.app_service import AppService
from localcloud.identity.arc import Arc
from localcloud.identity.gate import behind
from localcloud.identity.machine import Machine
from localcloud.identity.metadata import Identities, Metadata
from localcloud.identity.service_fabric import ServiceFabric
from localcloud.identity.shells import CloudShell, MachineLearning
from localcloud.tokens import Identity, TokenSigner

__all__ = ["Machine", "behind", "create_app"]


def create_app(
    signer: TokenSigner, app_identity: Identity, header_secret: str, container_identities: Identities, machine: Machine | None = None
) -> Starlette:
    """The identity endpoints.

    `container_identities` gives the identities of a container group by its name; the name is "" for a container that asks at the
    common path. The forms that belong to a machine are there with a `machine`.
    """
    app_service = AppService(signer, app_identity, header_secret)
    metadata = Metadata(signer, container_identities)
    routes = [
        Route("/msi/token", app_service.token),
        Route("/metadata/identity/oauth2/token", metadata.token),
        Route("/groups/{group}/metadata/identity/oauth2/token", metadata.token),
    ]
    return Starlette(routes=routes + (_machine_routes(signer, machine) if machine else []))


def _machine_routes(signer: TokenSigner, machine: Machine) -> list[Route]:
    metadata = Metadata(signer, lambda _group: machine.assigned(), machine.system)
    return [
        Route("/machine/metadata/identity/oauth2/token", metadata.token),
        Route("/arc/metadata/identity/oauth2/token", Arc(signer, machine).token),
        Route("/servicefabric/token", ServiceFabric(signer, machine).token),
        Route("/cloudshell/token", CloudShell(signer, machine).token, methods=["POST"]),
        Route("/azureml/token", MachineLearning(signer, machine).token),
    ]
