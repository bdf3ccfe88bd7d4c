"""By what Azure's clients get in: the login endpoint's applications, the machine's identities, a workload's token."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from localcloud.bootstrap import DEPLOYER
from localcloud.certificates import Authority
from localcloud.entra import EXCHANGE, WORKLOAD, Application, FederatedCredential
from localcloud.files import write_whole
from localcloud.identity import Machine
from localcloud.settings import MANAGEMENT_GROUP, TENANT, group_id
from localcloud.tokens import Identity, TokenSigner

MACHINE = Identity(
    "machine",
    f"{group_id(MANAGEMENT_GROUP)}/providers/Microsoft.Compute/virtualMachines/machine",
    "77777777-7777-4777-8777-777777777777",
    "88888888-8888-4888-8888-888888888888",
)
"""What a program on this machine is that says nothing else: like the deployer an Owner of the subscription."""

SUBJECT = "system:serviceaccount:localcloud:deployer"
WORKLOAD_LIFETIME = 365 * 86_400  # a cluster renews its tokens every hour; nobody is here to renew a file


def identity_application(identity: Identity, credentials: Sequence[Mapping[str, Any]]) -> Application:
    """A user-assigned identity as one that logs in, with its federated credentials as ARM shows them."""
    federated = tuple(FederatedCredential(one["issuer"], one["subject"], one["audiences"][0]) for one in credentials)
    return Application(identity=identity, federated=federated)


class Logins:
    """The secrets are new at each start."""

    def __init__(self, signer: TokenSigner, authority: Authority, folder: Path) -> None:
        self._signer = signer
        self._authority = authority
        self._secret = secrets.token_urlsafe(24)
        self._machine_secret = secrets.token_urlsafe(24)
        self._token_file = folder / "federated-token"
        self._certificate = authority.issue("deployer", folder / "deployer.pem")

    def deployer(self, login: str) -> Application:
        """The application that may do everything, with a secret, a certificate, and trust in the workload's token."""
        federated = FederatedCredential(f"{login}/{WORKLOAD}", SUBJECT)
        return Application(
            identity=DEPLOYER,
            secrets=(self._secret,),
            certificates=(self._certificate.read_bytes(),),
            federated=(federated,),
        )

    def machine(self, assigned: Callable[[], Sequence[Identity]]) -> Machine:
        """This machine, as its identity endpoints know it."""
        return Machine(system=MACHINE, secret=self._machine_secret, assigned=assigned)

    def write_token(self, login: str) -> None:
        """The file that a cluster would mount into the workload."""
        now = int(self._signer.now())
        times = {"iat": now, "nbf": now, "exp": now + WORKLOAD_LIFETIME}
        claims = {"iss": f"{login}/{WORKLOAD}", "sub": SUBJECT, "aud": EXCHANGE, **times}
        write_whole(self._token_file, self._signer.sign_claims(claims))

    def describe(self, login: str, identity: str, identity_tls: str) -> dict[str, Any]:
        """For the state file."""
        return {
            "login": login,
            "tenant": TENANT,
            "deployer": {
                "client_id": DEPLOYER.client_id,
                "object_id": DEPLOYER.principal_id,
                "secret": self._secret,
                "certificate": str(self._certificate),
                "federated_token": str(self._token_file),
            },
            "machine": {
                "identity": f"{identity}/{self._machine_secret}",
                "identity_tls": identity_tls,
                "secret": self._machine_secret,
                "thumbprint": self._authority.thumbprint,
                "object_id": MACHINE.principal_id,
            },
        }
