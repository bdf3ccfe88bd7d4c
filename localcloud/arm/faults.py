"""Scripted faults: the next calls that match are answered with an error, late, or not truly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from localcloud.arm.calls import Call
from localcloud.arm.errors import ArmError, gateway_timeout


@dataclass(kw_only=True)
class Fault:
    """`method` and `path` are regular expressions: the one matches the whole method, the other anywhere in the path.

    The first `skip` matching calls pass, the next `count` are hit. `status` answers with an error of this `code` instead of acting;
    `lost` acts and then answers 504; `delay` answers that many real seconds late. `by` narrows it to `client` or `deployment`.
    """

    method: str = ".*"
    path: str = ".*"
    by: str = ""
    count: int = 1
    skip: int = 0
    status: int = 0
    code: str = "InternalServerError"
    message: str = "A fault that was asked for."
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    lost: bool = False

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
        if self.count <= 0 or (self.by and self.by != call.by):
            return False
        if not re.fullmatch(self.method, call.method, re.IGNORECASE) or not re.search(self.path, call.path, re.IGNORECASE):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.count -= 1
        return True

    def before(self) -> None:
        """Raise the error, if it comes instead of acting."""
        if self.status:
            raise ArmError(self.status, self.code, self.message, headers=self.headers)

    def after(self) -> None:
        if self.lost:
            raise gateway_timeout("Microsoft.ContainerInstance")


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
