"""Lists of deployments and operations, page by page."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from localcloud.arm.calls import Call
from localcloud.arm.deployments.record import Deployment
from localcloud.arm.errors import bad_request, not_supported
from localcloud.arm.ids import timestamp

PAGE = 100  # items of one answer to a list
_FILTER = re.compile(r"provisioningState eq '(\w+)'", re.IGNORECASE)


def deployments(call: Call, found: list[Deployment]) -> dict[str, Any]:
    """The newest first."""
    wanted = _FILTER.fullmatch(call.query.get("$filter", ""))
    if call.query.get("$filter") and wanted is None:
        raise not_supported(f"The $filter '{call.query['$filter']}'")
    chosen = [one for one in found if wanted is None or one.state.lower() == wanted[1].lower()]
    return _page(call, sorted(chosen, key=_age, reverse=True), Deployment.show, _age, newest_first=True)


def operations(call: Call, deployment: Deployment) -> dict[str, Any]:
    shown = deployment.show_operations()
    numbers = {one["operationId"]: f"{number:06d}" for number, one in enumerate(shown)}
    return _page(call, shown, lambda one: one, lambda one: numbers[one["operationId"]], newest_first=False)


def _page(call: Call, found: list[Any], show: Callable[[Any], Any], key: Callable[[Any], str], *, newest_first: bool) -> dict[str, Any]:
    """The next page begins after the last that was shown, whatever has come or gone meanwhile."""
    after = call.query.get("$skiptoken")
    if after is not None:
        found = [one for one in found if (key(one) < after if newest_first else key(one) > after)]
    size = _size(call)
    body: dict[str, Any] = {"value": [show(one) for one in found[:size]]}
    if len(found) > size:
        query = urlencode({**call.query, "$skiptoken": key(found[size - 1])})
        body["nextLink"] = f"{call.base}{call.path}?{query}"
    return body


def _size(call: Call) -> int:
    given = call.query.get("$top", str(PAGE))
    if not given.isdecimal() or int(given) == 0:
        raise bad_request("InvalidTopQuery", f"The value '{given}' of the query parameter '$top' is not a positive number.")
    return min(int(given), PAGE)


def _age(deployment: Deployment) -> str:
    return f"{timestamp(deployment.started)} {deployment.name}"
