"""Scripted faults: the next calls that match are answered with an error, late, or not truly."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from localcloud.arm import given, matching
from localcloud.arm.bygone import Bygone
from localcloud.arm.calls import Call
from localcloud.arm.coincidences import Coincidences
from localcloud.arm.errors import ArmError, gateway_timeout
from localcloud.arm.ids import region

HOLDS = ("Pending", "Creating", "Accepted", "Running")
MAKERS = ("client", "deployment", "registry")
PRIORITIES = ("Regular", "Spot")


@dataclass(kw_only=True)
class Fault:
    """Which calls: those to a `service`, with `method` and `path` (regular expressions: the one matches the whole method, the other
    anywhere in the path) and `route` (a template that ends the path, such as `containerGroups/{name}`). `by` narrows it to `client`,
    `deployment` or `registry` (the pull of an image: method PULL, the image as its path), `location` and `priority` to bodies with that
    region or priority, as PUTs of container groups have: `Regular` is that of a group that names none.

    How often: the first `skip` matching calls pass, the next `count` are hit (None: all), each with this `probability`; it ends after
    `lasts` of Azure's seconds.

    What: `status` answers with an error of this `code` instead of acting; `late` accepts a container group, whose provisioning then fails;
    `lost` acts and then answers 504; `delay` answers that many real seconds late. `evict` takes a container group away so many seconds
    after its start, for good with `gone`; else Azure starts it again. `slow` is by how many of Azure's seconds a container group comes up
    later, and `hold` the state in which it, or a deployment, stays until it is released.
    """

    name: str = ""
    service: str = "arm"
    method: str = ".*"
    path: str = ".*"
    route: str = ""
    by: str = ""
    location: str = ""
    priority: str = ""
    count: int | None = 1
    skip: int = 0
    probability: float = 1.0
    seed: int | None = None
    lasts: float = 0.0
    status: int = 0
    code: str = "InternalServerError"
    message: str = "A fault that was asked for."
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    lost: bool = False
    late: bool = False
    evict: float = 0.0
    gone: bool = False
    slow: float = 0.0
    hold: str = ""

    @classmethod
    def read(cls, body: Any) -> Fault:
        """From the side door's JSON, in which a `name` may be that of a ready-made one. Raises ValueError that says what is wrong."""
        from localcloud.arm.ready_made import ready_made

        names = {item.name for item in fields(cls)}
        if not isinstance(body, Mapping) or not body.keys() <= names:
            raise ValueError(f"a fault is an object with some of the keys {', '.join(sorted(names))}")
        keys = ready_made(body)
        # One that happens by chance is rarely meant to happen once.
        once = {} if keys.get("probability", 1) == 1 else {"count": None}
        fault = cls(**{**once, **keys})
        fault.check()
        return fault

    def check(self) -> None:
        """Raises ValueError that names the key that is wrong, and says what is."""
        for item in fields(self):
            check = given.share if item.name == "probability" else given.KINDS[str(item.type)]
            check(item.name, getattr(self, item.name))
        matching.check(service=self.service, method=self.method, path=self.path)
        if self.count is not None:
            given.whole("count", self.count, least=1)
        given.whole("skip", self.skip, least=0)
        given.word("by", self.by, MAKERS)
        given.word("priority", self.priority, PRIORITIES)
        given.word("hold", self.hold, HOLDS)
        if self.status and not 400 <= self.status <= 599:
            raise ValueError(f"the status {self.status} is no error's: give one from 400 to 599")
        if not (self.status or self.lost or self.late or self.delay or self.evict or self.slow or self.hold):
            raise ValueError("this fault does nothing: give a name, or one of status, lost, late, delay, evict, slow and hold")

    def means(self, call: Call) -> bool:
        """Whether it is about calls like this one."""
        if (self.service and self.service != call.service) or (self.by and self.by != call.by) or not self._is_here(call):
            return False
        if call.by == "registry" and self.by != "registry":  # no call to ARM: it must be meant
            return False
        return matching.matches(self.method, self.path, self.route, call.method, call.path)

    def _is_here(self, call: Call) -> bool:
        body = call.body if isinstance(call.body, dict) else {}
        if self.location and region(str(body.get("location") or "")) != region(self.location):
            return False
        properties = body.get("properties")
        priority = (properties.get("priority") if isinstance(properties, dict) else None) or "Regular"
        return not self.priority or priority == self.priority

    def before(self) -> None:
        """Raise the error, if it comes instead of acting."""
        if self.status and not self.late:
            raise ArmError(self.status, self.code, self.message, headers=self.headers)

    def doom(self, call: Call) -> Call:
        """The call, that knows what will become of it."""
        fate = self.message if self.late else ""
        return replace(call, fate=fate, eviction=self.evict, comes_back=not self.gone, hold=self.hold, slow=self.slow)

    def after(self) -> None:
        if self.lost:
            raise gateway_timeout("Microsoft.ContainerInstance")


def no_capacity(location: str, count: int = 1, code: str = "ServiceUnavailable", *, late: bool = False, priority: str = "") -> Fault:
    """The next container groups in this region find no room, in ACI's words; the code may also be `InsufficientCapacity`.

    ACI also accepts a group first and finds out `late`; its operation then has an event and no code at all.
    """
    name = "no-capacity-late" if late else "no-capacity"
    return Fault.read({"name": name, "location": location, "count": count, "code": code, "priority": priority})


class _Scripted:
    """A fault that has been asked for: which of its calls are hit depends on nothing but its own calls and its seed."""

    def __init__(self, fault: Fault, identifier: str, seed: int) -> None:
        self.fault = fault
        self.id = identifier
        self.hits = 0
        self._chance = Coincidences(seed if fault.seed is None else fault.seed)

    def hit(self, call: Call) -> bool:
        fault = self.fault
        if self.is_over or not fault.means(call):
            return False
        if fault.skip > 0:
            fault.skip -= 1
            return False
        name = f"fault:{fault.name}:{fault.service}:{fault.method}:{fault.path}:{fault.route}"
        if fault.probability < 1 and not self._chance.happens(name, fault.probability):
            return False
        self.hits += 1
        if fault.count is not None:
            fault.count -= 1
        return True

    @property
    def is_over(self) -> bool:
        return self.fault.count is not None and self.fault.count <= 0


class Faults:
    """Those still to come, for calls on any thread. `later(seconds, call)` is the clock's, for faults that end by themselves."""

    def __init__(
        self, seed: int = 0, later: Callable[[float, Callable[[], None]], object] | None = None, bygone: Bygone | None = None
    ) -> None:
        self._bygone = bygone or Bygone()
        self._seed = seed
        self._later = later
        self._faults: list[_Scripted] = []
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self.watched: Collection[str] = ("arm",)
        """The services whose calls come by here."""

    def add(self, fault: Fault) -> str:
        """Its id. Raises ValueError when it makes no sense, or cannot happen."""
        fault.check()
        if fault.service and fault.service not in self.watched:
            raise ValueError(f"calls to {fault.service} do not pass the side door: start the local cloud with --relay {fault.service}")
        if fault.lasts and self._later is None:
            raise ValueError("without a clock a fault cannot end by itself")
        with self._lock:
            scripted = _Scripted(fault, str(next(self._numbers)), self._seed)
        # Its end is certain before it begins.
        if fault.lasts and self._later:
            self._later(fault.lasts, lambda: self._expire(scripted))
        with self._lock:
            self._faults.append(scripted)
        return scripted.id

    def drop(self, identifier: str) -> bool:
        """Whether it was there to be dropped."""
        with self._lock:
            kept = [one for one in self._faults if one.id != identifier]
            found = len(kept) < len(self._faults)
            self._faults = kept
        return found

    def _expire(self, scripted: _Scripted) -> None:
        self.drop(scripted.id)

    def clear(self) -> None:
        with self._lock:
            self._faults = []

    def pick(self, call: Call) -> Fault:
        """The fault for this call: one without effect when none was asked for."""
        if not self._faults or self._bygone.has(call):
            return Fault()
        with self._lock:
            hit = next((one for one in self._faults if one.hit(call)), None)
            self._faults = [one for one in self._faults if not one.is_over]
        return replace(hit.fault, name=hit.fault.name or hit.id) if hit else Fault()

    def listing(self) -> list[dict[str, Any]]:
        with self._lock:
            return [{"id": one.id, "hits": one.hits, **asdict(one.fault)} for one in self._faults]
