"""The login endpoint: Microsoft Entra ID as far as an application without a user needs it."""

from localcloud.entra.app import create_app
from localcloud.entra.applications import Application, Directory, FederatedCredential

__all__ = ["Application", "Directory", "FederatedCredential", "create_app"]
