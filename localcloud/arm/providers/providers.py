"""Which provider has which type in which api-version. All of them are registered, and stay so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from localcloud.arm.calls import Call, Reply
from localcloud.arm.errors import GATEWAY, ArmError, bad_request, not_supported
from localcloud.arm.ids import read_target
from localcloud.arm.providers.versions import API_VERSIONS
from localcloud.arm.routing import Route

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

_BY_LOWER = {
    namespace.lower(): (namespace, {kind.lower(): (kind, versions) for kind, versions in types.items()})
    for namespace, types in API_VERSIONS.items()
}
_OWN = "microsoft.resources"


class Providers:
    def __init__(self, state: ArmState) -> None:
        self._state = state

    def routes(self) -> list[Route]:
        routes = []
        for scope in ("", "/subscriptions/{subscription}"):
            action = "" if not scope else "Microsoft.Resources/subscriptions/providers/read"
            routes.append(Route("GET", f"{scope}/providers", self.list, action=action))
            routes.append(Route("GET", f"{scope}/providers/{{namespace}}", self.get, action=action))
        one = "/subscriptions/{subscription}/providers/{namespace}"
        return [*routes, Route("POST", f"{one}/register", self.get), Route("POST", f"{one}/unregister", self.unregister)]

    def check(self, kind: str, version: str, location: str = "") -> None:
        """That a type has the api-version. Raises ARM's errors: with a location those of a resource that is to be made there."""
        namespace, *types = kind.split("/")
        known = _BY_LOWER.get(namespace.lower())
        if known is None:
            raise _no_namespace(namespace)
        if not types:
            return
        name, versions = known[1].get(types[0].lower(), ("", ()))
        if not name:
            raise _no_type("/".join(types), known[0], version)
        if version.lower() in versions:
            return
        if namespace.lower() == _OWN and name != "templateSpecs":
            raise _no_version_of_arm(version, versions)
        if not location:
            raise _no_version(name, known[0], version, versions)
        raise _not_registered(location, name, version, versions, self._state.settings.locations)

    def check_call(self, call: Call) -> None:
        """That what the call's path names has the call's api-version."""
        target = read_target(call.path)
        if not target.names and target.types and target.types[0].lower() in ("register", "unregister"):
            self.check("Microsoft.Resources/providers", call.version)
            return
        place = call.body.get("location") if isinstance(call.body, dict) else None
        self.check(target.kind, call.version, str(place or ""))

    def list(self, call: Call) -> Reply:
        return Reply(body={"value": [self._show(call, namespace) for namespace in API_VERSIONS]})

    def get(self, call: Call, namespace: str) -> Reply:
        known = _BY_LOWER.get(namespace.lower())
        if known is None:
            raise _no_namespace(namespace)
        return Reply(body=self._show(call, known[0]))

    def unregister(self, _call: Call, namespace: str) -> Reply:
        raise not_supported(f"Unregistering {namespace}")

    def _show(self, call: Call, namespace: str) -> dict[str, Any]:
        inside = "/subscriptions/" in call.path
        subscription = f"/subscriptions/{self._state.settings.subscription}" if inside else ""
        registration = {"registrationState": "Registered", "registrationPolicy": "RegistrationRequired"}
        return {
            **({"id": f"{subscription}/providers/{namespace}"} if inside else {}),
            "namespace": namespace,
            "resourceTypes": [self._show_type(kind, versions) for kind, versions in API_VERSIONS[namespace].items()],
            **(registration if inside else {}),
        }

    def _show_type(self, kind: str, versions: Sequence[str]) -> Mapping[str, Any]:
        return {
            "resourceType": kind,
            "locations": [*self._state.settings.locations],
            "apiVersions": sorted(versions, reverse=True),
            "capabilities": "SupportsTags, SupportsLocation",
        }


def _no_namespace(namespace: str) -> ArmError:
    if namespace.lower().startswith("microsoft."):
        return not_supported(f"The resource provider '{namespace}'")
    return ArmError(404, "InvalidResourceNamespace", f"The resource namespace '{namespace}' is invalid.", headers=GATEWAY)


def _no_type(kind: str, namespace: str, version: str) -> ArmError:
    return ArmError(
        404,
        "InvalidResourceType",
        f"The resource type '{kind}' could not be found in the namespace '{namespace}' for api version '{version}'. The local cloud does "
        "not have all the types that Azure has.",
        headers=GATEWAY,
    )


def _no_version(kind: str, namespace: str, version: str, known: Sequence[str]) -> ArmError:
    return ArmError(
        404,
        "InvalidResourceType",
        f"The resource type '{kind}' could not be found in the namespace '{namespace}' for api version '{version}'. The supported "
        f"api-versions are '{','.join(sorted(known))}'.",
        headers=GATEWAY,
    )


def _no_version_of_arm(version: str, known: Sequence[str]) -> ArmError:
    return bad_request(
        "InvalidApiVersionParameter",
        f"The api-version '{version}' is invalid. The supported versions are '{','.join(sorted(known, reverse=True))}'.",
        headers=GATEWAY,
    )


def _not_registered(location: str, kind: str, version: str, known: Sequence[str], places: Sequence[str]) -> ArmError:
    return bad_request(
        "NoRegisteredProviderFound",
        f"No registered resource provider found for location '{location}' and API version '{version}' for type '{kind}'. The supported "
        f"api-versions are '{', '.join(sorted(known))}'. The supported locations are '{', '.join(places)}'.",
        headers=GATEWAY,
    )
