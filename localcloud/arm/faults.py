"""Scripted faults: the next calls that match are answered with an error, late, or not truly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from localcloud.arm.calls import Call
from localcloud.arm.errors import ArmError, gateway_timeout
from localcloud.arm.ids import region


@dataclass(kw_only=True)
class Fault:
    """`method` and `path` are regular expressions: the one matches the whole method, the other anywhere in the path.

    The first `skip` matching calls pass, the next `count` are hit. `status` answers with an error of this `code` instead of acting;
    `late` accepts a container group, whose provisioning then fails; `lost` acts and then answers 504; `delay` answers that many real
    seconds late. `evict` takes a container group away so many seconds after its start, for good with `gone`; else Azure starts it again.
    `by` narrows it to `client` or `deployment`, `location` and `priority` to bodies with that region or priority, as PUTs of container
    groups have: `Regular` is that of a group that names none.
    """

    method: str = ".*"
    path: str = ".*"
    by: str = ""
    location: str = ""
    priority: str = ""
    count: int = 1
    skip: int = 0
    status: int = 0
    code: str = "InternalServerError"
    message: str = "A fault that was asked for."
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    lost: bool = False
    late: bool = False
    evict: float = 0.0
    gone: bool = False

    @classmethod
    def read(cls, body: Any) -> Fault:
        """From the side door's JSON. Raises ValueError that says what is wrong."""
        names = {item.name for item in fields(cls)}
        if not isinstance(body, Mapping) or not body.keys() <= names:
            raise ValueError(f"a fault is an object with some of the keys {', '.join(sorted(names))}")
        fault = cls(**body)
        try:
            re.compile(fault.method), re.compile(fault.path)
        except re.error as error:
            raise ValueError(f"method and path are regular expressions: {error}") from None
        return fault

    def hits(self, call: Call) -> bool:
        if self.count <= 0 or (self.by and self.by != call.by) or not self._is_here(call):
            return False
        if call.by == "registry" and self.by != "registry":  # no call to ARM: it must be meant
            return False
        if not re.fullmatch(self.method, call.method, re.IGNORECASE) or not re.search(self.path, call.path, re.IGNORECASE):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.count -= 1
        return True

    def _is_here(self, call: Call) -> bool:
        body = call.body if isinstance(call.body, dict) else {}
        if self.location and region(body.get("location", "")) != region(self.location):
            return False
        properties = body.get("properties")
        given = (properties.get("priority") if isinstance(properties, dict) else None) or "Regular"
        return not self.priority or given == self.priority

    def before(self) -> None:
        """Raise the error, if it comes instead of acting."""
        if self.status and not self.late:
            raise ArmError(self.status, self.code, self.message, headers=self.headers)

    def doom(self, call: Call) -> Call:
        """The call, that knows what will become of it."""
        return replace(call, fate=self.message if self.late else "", eviction=self.evict, comes_back=not self.gone)

    def after(self) -> None:
        if self.lost:
            raise gateway_timeout("Microsoft.ContainerInstance")


def no_capacity(location: str, count: int = 1, code: str = "ServiceUnavailable", *, late: bool = False, priority: str = "") -> Fault:
    """The next container groups in this region find no room, in ACI's words; the code may also be `InsufficientCapacity`.

    ACI also accepts a group first and finds out `late`; its operation then has an event and no code at all.
    """
    return Fault(
        method="PUT",
        path="/containerGroups/",
        location=location,
        priority=priority,
        count=count,
        status=409,
        code=code,
        late=late,
        message=f"The requested resource is not available in the location '{location}' at this moment. Please retry with a different "
        "resource request or in another location. Resource requested: '1' CPU '1.5' GB memory 'Linux' OS.",
    )


class Faults:
    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._faults.append(fault)

    def clear(self) -> None:
        self._faults.clear()

    def pick(self, call: Call) -> Fault:
        """The fault for this call: one without effect when none was asked for."""
        hit = next((fault for fault in self._faults if fault.hits(call)), None)
        self._faults = [fault for fault in self._faults if fault.count > 0]
        return hit or Fault()

    def listing(self) -> list[dict[str, Any]]:
        return [asdict(fault) for fault in self._faults]
