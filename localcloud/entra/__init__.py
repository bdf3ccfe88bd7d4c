"""The login endpoint: Microsoft Entra ID as far as an application without a user needs it."""

from localcloud.entra.app import WORKLOAD, create_app
from localcloud.entra.applications import EXCHANGE, Application, Directory, FederatedCredential

__all__ = ["EXCHANGE", "WORKLOAD", "Application", "Directory", "FederatedCredential", "create_app"]
