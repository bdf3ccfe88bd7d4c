"""Pulling an image with the admin credentials of its registry, as the original did: only for a template that asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from loadme.core.arm import RegistryCredentials, TemplateParameter
from loadme.core.template import BAD_TEMPLATE, GroupRequest
from loadme.definitions.template_names import PASSWORD, USERNAME
from loadme.errors import Terminal


def credentials(
    declared: Iterable[TemplateParameter], request: GroupRequest, registry: str, fetch: Callable[[str], RegistryCredentials]
) -> RegistryCredentials | None:
    """What the template is given to pull the image with; None if it does not ask, or has defaults for an image from elsewhere.

    `registry` is the resource id that the step names, or that of LOADME_REGISTRY; `fetch` asks ARM for the credentials. Raises Terminal if
    they must be given and the image is not of that registry, and what `fetch` raises.
    """
    asked = [one for one in declared if one.name.lower() in (USERNAME, PASSWORD)]
    if not asked:
        return None
    # Who names a registry for a step means it, whatever the template has as defaults.
    must = next((one.name for one in asked if request.registry or not one.has_default), None)
    found = fetch(registry) if registry else None
    server = request.image.partition("/")[0]
    if found is not None and server.lower() == found.server.lower():
        # The image's own spelling: the registry's credentials are looked up by it.
        return RegistryCredentials(server, found.username, found.password)
    if must is None:
        return None
    where = "the step's `registry`" if request.registry else "LOADME_REGISTRY"
    if found is None:
        what = "and LOADME_REGISTRY is not set: set it, or the step's `registry`, to the resource id of the container registry"
    else:
        what = f"and the image {request.image} is not of the registry in {where} ({found.server}): use one that is"
    raise Terminal(f"the template spec asks for a registry's credentials ({must!r}), {what}, or another template spec", code=BAD_TEMPLATE)
