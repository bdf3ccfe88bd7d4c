"""All that the local ARM knows, and the one way into it: `answer`."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Sequence
from typing import Any

from localcloud.arm.authorization import Authorization
from localcloud.arm.bygone import Bygone
from localcloud.arm.calls import Call, Reply
from localcloud.arm.coincidences import Coincidences
from localcloud.arm.containerinstance import ContainerInstance
from localcloud.arm.containerregistry import ContainerRegistry
from localcloud.arm.deployments import Deployments
from localcloud.arm.errors import ArmError, internal_error
from localcloud.arm.faults import Fault, Faults
from localcloud.arm.gate import check_names, check_path, check_version
from localcloud.arm.ids import guid, read_target, resource_id
from localcloud.arm.insights import Insights
from localcloud.arm.journal import Journal
from localcloud.arm.keyvault import KeyVaults
from localcloud.arm.limits import Throttle
from localcloud.arm.managedidentity import ManagedIdentity
from localcloud.arm.network import Network
from localcloud.arm.providers import TOP_LEVEL, Providers
from localcloud.arm.resources import ResourceGroups, Subscriptions, TemplateSpecs
from localcloud.arm.results import OperationResults
from localcloud.arm.routing import Router
from localcloud.arm.settings import ArmSettings
from localcloud.arm.storage import Storage
from localcloud.arm.tracked import Shelf
from localcloud.arm.web import Web
from localcloud.clock import Clock
from localcloud.containers import Runtime
from localcloud.keyvault import Vaults
from localcloud.tokens import Identity

OTHERS = (Network, Storage, Web, Insights)
"""Providers behind whose resources nothing runs: nobody asks them anything but through a call."""

_log = logging.getLogger(__name__)


class ArmState:
    """Calls from anywhere take `lock` one at a time: handlers only touch memory, so none holds it for long."""

    def __init__(self, settings: ArmSettings, clock: Clock, runtime: Runtime, vaults: Vaults | None = None) -> None:
        self.settings = settings
        self.vaults = vaults or Vaults(clock=lambda: clock.now().timestamp())
        self.clock = clock
        self.runtime = runtime
        self.coincidences = Coincidences(settings.seed)
        self.ids = random.Random(settings.seed)  # noqa: S311 - of operations and the like, no secrets
        self.lock = threading.RLock()
        self.bygone = Bygone()
        self.journal = Journal(bygone=self.bygone)
        self.faults = Faults(settings.seed, clock.call_later, self.bygone)
        self.noted: Callable[[Call, Reply], None] = _ignored
        self.start_over: Callable[[], dict[str, Any]] = _cannot
        self.begin()

    def begin(self) -> None:
        """As empty as a new one: whatever runs must have been abandoned."""
        self.shelf = Shelf()
        self.throttle = Throttle(self.settings.subscription, self.settings.limits)
        self.authorization = Authorization(self)
        self.providers = Providers(self)
        self.results = OperationResults(self)
        self.subscriptions = Subscriptions(self)
        self.groups = ResourceGroups(self)
        self.specs = TemplateSpecs(self)
        self.identities = ManagedIdentity(self)
        self.registries = ContainerRegistry(self)
        self.key_vaults = KeyVaults(self)
        self.containers = ContainerInstance(self)
        self.deployments = Deployments(self)
        providers = (
            self.providers,
            self.results,
            self.subscriptions,
            self.groups,
            self.specs,
            self.identities,
            self.registries,
            self.key_vaults,
            self.containers,
            self.deployments,
            self.authorization,
            *(kind(self) for kind in OTHERS),
        )
        self.router = Router(route for provider in providers for route in provider.routes())

    def forget(self) -> None:
        """Abandon what runs, and begin again."""
        with self.lock:
            self.deployments.abandon()
            self.containers.abandon()
            self.begin()

    def answer(self, call: Call) -> tuple[Reply, float]:
        """The reply to a call and by how many real seconds a fault delays it."""
        with self.lock:
            now = self.clock.now()
            fault, headers = Fault(), dict[str, str]()
            try:
                fault = self.faults.pick(call)
                fault.before()
                reply = self._act(fault.doom(call), headers)
                fault.after()
            except ArmError as error:
                reply = Reply(status=error.status, body=error.body(), headers=error.headers)
            except Exception:
                _log.exception("a bug in the local cloud: %s %s", call.method, call.path)
                reply = Reply(status=500, body=internal_error(guid(self.ids), call.correlation).body())
            reply.headers = {**headers, **reply.headers}
            self.journal.write(call, reply.status, now, fault.name)
            self.noted(call, reply)
        return reply, fault.delay

    def _act(self, call: Call, headers: dict[str, str]) -> Reply:
        now = self.clock.now()
        check_path(call.path, self.settings.subscription)
        check_version(call)
        # What the local cloud does itself is right in every version.
        if call.actor:
            self.providers.check_call(call)
        check_names(call)
        self.groups.check_open(call)
        route, parameters = self.router.find(call)
        parameters.pop("subscription", None)
        # What a deployment does counts for the provider, not for the subscription of its caller.
        if call.by == "client":
            headers.update(self.throttle.subscription(call, now))
        self.authorization.check_call(call, route.action)
        if route.resource:
            headers.update(self.throttle.resource(route.resource, self.containers.location(call, **parameters), now))
        reply = route.handler(call, **parameters)
        if call.method == "DELETE" and reply.status in (200, 204):
            self.authorization.assignments.drop_within(call.path)
        return reply

    def group_identities(self, group: str) -> Sequence[Identity]:
        """The identities of a container group, for its metadata service; "" stands for the user-assigned ones of all groups together."""
        with self.lock:
            ids = self.containers.identity_ids(group)
            assigned = [identity for one in ids if (identity := self.identities.find(one))]
            return [*assigned, *self.containers.groups.own_identities(group)]

    def all_identities(self) -> Sequence[Identity]:
        """Every user-assigned identity that there is."""
        with self.lock:
            return self.identities.all()

    def identity(self, resource_id: str) -> Identity | None:
        """A user-assigned identity that has been created."""
        with self.lock:
            return self.identities.find(resource_id)

    def principals(self) -> Sequence[str]:
        """The object ids of all identities that there are, those of resources themselves too."""
        own = [one["identity"]["principalId"] for one in self.resources() if "principalId" in one.get("identity", {})]
        return [*self.identities.principals(), *own]

    def drop(self, key: str) -> None:
        """Take a resource away that only lies on the shelf, and all that is in it."""
        self.shelf.drop(key)

    def resources(self) -> list[dict[str, Any]]:
        """Every resource of the top level, as its provider lists it."""
        found: list[dict[str, Any]] = []
        for kind in TOP_LEVEL:
            path = f"/subscriptions/{self.settings.subscription}/providers/{kind}"
            if self.router.knows("GET", path):
                call = Call(method="GET", path=path)
                found += self.router.find(call)[0].handler(call).body["value"]
        return found

    def scope(self, path: str) -> str:
        """A scope as a path names it, for what is attached to it. Raises 404 when it is in no resource group that there is."""
        words = path.rstrip("/").split("/")
        if len(words) > 4 and words[3].lower() == "resourcegroups":
            self.groups.need(words[4])
        return path.rstrip("/") or "/"

    def need_resource(self, path: str) -> None:
        """Raises 404 for a path in a resource that there is not."""
        target = read_target(path)
        if target.scope == target.path or not target.names:
            return
        key = resource_id(target.scope, f"{target.namespace}/{target.types[0]}", target.names[0])
        if self.router.knows("GET", key):
            call = Call(method="GET", path=key)
            route, parameters = self.router.find(call)
            parameters.pop("subscription", None)
            route.handler(call, **parameters)


def _cannot() -> dict[str, Any]:
    raise ValueError("only a whole local cloud can begin anew")


def _ignored(_call: Call, _reply: Reply) -> None:
    return
