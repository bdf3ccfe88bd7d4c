"""The part of the local cloud that lives in this process: ARM over TLS, the containers, the identity endpoints."""

from __future__ import annotations

import re
import secrets
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import certifi
import jwt
from starlette.applications import Starlette
from starlette.types import ASGIApp

from localcloud.arm import ArmState
from localcloud.arm import create_app as create_arm_app
from localcloud.arm.faults import Fault
from localcloud.arm.journal import Asked
from localcloud.arm.keyvault import SecretsGuard
from localcloud.bootstrap import DEPLOYER, VAULT_ADMINISTRATOR, Deployer
from localcloud.certificates import Authority
from localcloud.clock import ScaledClock
from localcloud.declared import Declared
from localcloud.entra import Application, Directory
from localcloud.entra import create_app as create_login_app
from localcloud.identity import behind
from localcloud.identity import create_app as create_identity_app
from localcloud.keyvault import Vaults
from localcloud.keyvault import create_app as create_vault_app
from localcloud.logins import MACHINE, Logins, identity_application
from localcloud.ports import listen, number, usual_or_free
from localcloud.relay import Relay
from localcloud.runtimes import Parts, Registry, make_runtime
from localcloud.servers import ThreadedServer
from localcloud.settings import APP_IDENTITY, ARM_PORT, LOGIN_PORT, TENANT, VAULT_PORT, CloudSettings, subscription_id
from localcloud.tokens import Identity, TokenSigner
from localcloud.watching import Watched


class Azure:
    """ARM and identities, ready to be used when `start` returns; `stop` also ends every container."""

    def __init__(self, settings: CloudSettings, folder: Path, authority: Authority) -> None:
        self.settings = settings
        self.header_secret = secrets.token_urlsafe(24)
        self.clock = ScaledClock(settings.scale)
        self._stack = ExitStack()
        self._stack.callback(self.clock.close)
        self.signer = TokenSigner(TENANT, self._seconds)
        self.signer.names[DEPLOYER.principal_id] = DEPLOYER.name  # also of those calls for which it needs no token
        self.logins = Logins(self.signer, authority, folder)
        self.identities: dict[str, Identity] = {}
        self.arm_url = ""
        self.vault_url = ""
        self.login_url = ""
        self.identity_tls_url = ""
        self.proxy_url = ""
        self.registry: Registry | None = None
        """Where the images of real containers are."""
        self._bundle = folder / "certificates" / "bundle.pem"
        self._tokens: ASGIApp = Starlette()
        self.told: Callable[[], Mapping[str, str]] = dict
        """The app's settings: what they name on this machine a container may need."""
        self.vaults = Vaults(folder / "vaults.json", self._seconds)
        self._declared = Declared(folder / "declared.json") if settings.kept else None
        self._identity_port = 0
        self._folder = folder
        self._authority = authority
        self._state: ArmState | None = None

    @property
    def identity_url(self) -> str:
        """Where the app and the containers get their tokens."""
        return f"http://127.0.0.1:{self._identity_port}"

    @property
    def ca(self) -> Path:
        """The certificate of the authority that all of the cloud's are from."""
        return self._authority.ca

    @property
    def state(self) -> ArmState:
        """What ARM knows; only while it runs."""
        if self._state is None:
            raise RuntimeError("ARM has not been started")
        return self._state

    def start(self) -> None:
        """Serve ARM, put into it what the app expects to find, then serve tokens."""
        # Before it is served: the containers' environment names it.
        listening = self._stack.enter_context(listen())
        self._identity_port = number(listening)
        state = self._state = self._arm_state()
        self._serve_login()
        self._serve_arm(state)
        app, container = self._bootstrap()
        self.identities = {identity.name: identity for identity in (app, container, DEPLOYER)}
        self._serve_vaults()
        machine = self.logins.machine(state.all_identities)
        tokens = create_identity_app(self.signer, app, self.header_secret, state.group_identities, machine)
        watched = self._tokens = self.watch(tokens, "identity")
        guarded = behind(machine.secret, watched)
        self._stack.enter_context(ThreadedServer(guarded, listening))
        self.identity_tls_url = self._serve(guarded, 0)
        self.settings.say(f"identity  {self.identity_url}")

    def stop(self) -> None:
        """Stop serving and kill what runs."""
        self.clock.close()  # first: a timer may start a container
        self._stack.close()

    def calls(self) -> list[dict[str, Any]]:
        """Every call that ARM has received."""
        return self.state.journal.listing(Asked(service="arm"))

    def groups(self) -> dict[str, Any]:
        """Every container group there ever was: how often it was started, whether it exists, its state."""
        with self.state.lock:
            return dict(self.state.containers.summary())

    def add_fault(self, **fault: Any) -> None:
        """Script a fault: see `localcloud.arm.faults`."""
        self.state.faults.add(Fault.read(fault))

    def watch(self, app: ASGIApp, service: str) -> ASGIApp:
        """The application, with the side door's faults and record in front of it."""
        state = self.state
        return Watched(app, service, state.faults, state.journal, self.clock.now, self._who)

    def relay(self, service: str, upstream: Callable[[], str], listening: socket.socket | None = None) -> str:
        """Serve what is upstream with the side door in front of it; the address, over TLS where the upstream has it."""
        relay = Relay(upstream, self._authority.ca)
        self._stack.callback(relay.close)
        own = self._authority if upstream().startswith("https:") else None
        app = self.watch(relay, service)
        # Whoever opened the socket may close it before this is stopped.
        held = self._stack.enter_context(listening.dup()) if listening else None
        server = ThreadedServer(app, held, ssl_cert=own.certificate if own else None, ssl_key=own.key if own else None)
        self._stack.enter_context(server)
        return server.url

    def start_over(self) -> None:
        """As at the first start: nothing declared but what the app expects to find, no faults, no calls, no secrets but the settings'."""
        state = self.state
        self.clock.start_over(self.settings.scale)  # first: nothing is to have seen a later time
        state.forget()
        state.faults.clear()
        if self._declared:
            self._declared.forget()
        self.vaults.clear()
        self._bootstrap()
        self._fill_vaults()
        state.journal.clear()

    def _ports(self) -> set[int]:
        """Those of the cloud that a group's network has, too: not that of the identities, of which it has its own part elsewhere."""
        text = " ".join((self.arm_url, self.vault_url, self.login_url, *self.told().values()))
        return {int(port) for port in re.findall(r"//127\.0\.0\.1:(\d+)", text)} - {self._identity_port}

    def _seconds(self) -> float:
        return self.clock.now().timestamp()

    def _who(self, headers: Mapping[str, str], path: str) -> str:
        """Whose token it is; of those who ask for one, the app or the container group."""
        if path.startswith("/msi/"):
            return APP_IDENTITY
        if found := re.match("/groups/([^/]+)/", path):
            return found[1].partition(".")[0]  # what follows tells it from one of this name in another resource group
        with suppress(jwt.InvalidTokenError):
            return str(self.signer.read(headers.get("authorization", "").rpartition(" ")[2]).get("oid", ""))
        return ""

    def _arm_state(self) -> ArmState:
        parts = Parts(
            settings=self.settings,
            folder=self._folder,
            stack=self._stack,
            signer=self.signer,
            state=lambda: self.state,
            platform=self._platform_environment(),
            bundle=self._bundle,
            metadata=lambda: self._tokens,
            ports=self._ports,
        )
        runtime, self.registry = make_runtime(parts)
        owners = (*self.settings.arm.owners, MACHINE.principal_id)
        settings = replace(self.settings.arm, limits=self.settings.limits, owners=owners)
        state = ArmState(settings, self.clock, runtime, self.vaults)
        state.journal.names = self.signer.names
        state.faults.watched = ("arm", "vault", "identity", *self.settings.relay)
        if self._declared:
            for call in self._declared.calls():
                reply, _ = state.answer(call)
                if reply.status >= 400:
                    what = f"{call.method} {call.path}: {reply.body['error']['message']}"
                    self.settings.say(f"what was declared earlier cannot be declared again: {what}")
            state.noted = self._declared.note
        return state

    def _serve_arm(self, state: ArmState) -> None:
        self.arm_url = self._serve(create_arm_app(state, self.signer.verify, self.login_url), ARM_PORT)
        self.settings.say(f"arm       {self.arm_url} (calls: /localcloud/calls)")

    def _serve_vaults(self) -> None:
        self._fill_vaults()
        guarded = create_vault_app(self.vaults, self.signer.verify, TENANT, SecretsGuard(self.state))
        served = self.watch(guarded, "vault")
        self.vault_url = f"{self._serve(served, VAULT_PORT)}/vaults"
        self.settings.say(f"vaults    {self.vault_url}")

    def _fill_vaults(self) -> None:
        """With the secrets that the settings name."""
        for vault, secrets_of_it in self.settings.secrets.items():
            for name, value in secrets_of_it.items():
                self.vaults.set(vault, name, value)

    def _serve_login(self) -> None:
        """Where applications log in: the deployer, who may do everything."""
        directory = Directory([], self._identity_application)
        self.login_url = self._serve(self.watch(create_login_app(self.signer, directory, self._principals), "identity"), LOGIN_PORT)
        directory.add(self.logins.deployer(self.login_url))
        self.logins.write_token(self.login_url)
        self.settings.say(f"login     {self.login_url}/{TENANT}")

    def _identity_application(self, client_id: str) -> Application | None:
        """A user-assigned identity, which logs in by its federated credentials."""
        state = self.state
        with state.lock:
            found = next((one for one in state.identities.all() if one.client_id.lower() == client_id.lower()), None)
            return identity_application(found, state.identities.federated(found)) if found else None

    def _principals(self) -> list[Identity]:
        """Every service principal that there is."""
        return [DEPLOYER, MACHINE, *self.state.all_identities()]

    def _serve(self, app: ASGIApp, usual: int) -> str:
        """Serves over TLS, at the usual port where it is free; the address."""
        listening = usual_or_free(usual, self.settings.say) if self.settings.fixed_ports else listen()
        listening = self._stack.enter_context(listening)
        server = ThreadedServer(app, listening, ssl_cert=self._authority.certificate, ssl_key=self._authority.key)
        self._stack.enter_context(server)
        return server.url

    def _bootstrap(self) -> tuple[Identity, Identity]:
        deployer = Deployer(self.state.answer)
        deployer.put_groups()
        identities = deployer.put_identities()
        deployer.put_registry()
        deployer.put_template_spec(self.settings.template)
        deployer.put_storage()
        deployer.put_roles(*identities)
        deployer.put_vaults(*identities, self.settings.secrets)
        deployer.assign(MACHINE, VAULT_ADMINISTRATOR, subscription_id())
        return identities

    def _platform_environment(self) -> dict[str, str]:
        """What the platform would bring into a container: trust in the cloud's certificates, and its metadata service."""
        self._bundle.write_text(Path(certifi.where()).read_text() + self._authority.ca.read_text())
        return {
            "SSL_CERT_FILE": str(self._bundle),
            "REQUESTS_CA_BUNDLE": str(self._bundle),
            "AZURE_POD_IDENTITY_AUTHORITY_HOST": f"{self.identity_url}/groups/{{group}}",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }
