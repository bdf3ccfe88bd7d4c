"""What goes wrong in a world: the death of a host, errors and lost answers at every outside call, injected bugs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import TYPE_CHECKING, Any

from loadme.errors import Conflict, Throttled, Unavailable

if TYPE_CHECKING:
    from tests.simulation.world import World

RATES = [0.0, 0.0, 0.01, 0.05, 0.15]
WRITES = ("tables.write", "tables.delete")


class Killed(BaseException):
    """The process dies here: nothing in the app may catch this."""


class Bug(ZeroDivisionError):
    """A bug that was put in on purpose."""


@dataclass
class Frame:
    """A function under way: on which host, since when, how often it has called outside. One that is doomed dies at its next step."""

    what: str
    host: int
    began: datetime
    calls: int = 0
    doomed: bool = False


@dataclass
class BugPlan:
    """The first `left` deliveries of a queue's messages about a step end in a bug."""

    queue: str = ""
    step: str = ""
    left: int = 0
    struck: int = 0

    def strike(self, queue: str, message: Any) -> None:
        """Raises Bug if it is this message's turn."""
        if self.left and queue == self.queue and message.step in ("", self.step):
            self.left -= 1
            self.struck += 1
            raise Bug("division by zero")


@dataclass
class Faults:
    """Drawn from the seed: each kind is armed in some worlds only, and then strikes now and then."""

    random: Random
    armed: bool = True
    on: bool = True
    rates: dict[str, float] = field(init=False)

    def __post_init__(self) -> None:
        self.on = self.armed
        kinds = ("kill", "error", "lost", "busy", "conflict")
        self.rates = {kind: self._some(RATES) for kind in kinds}
        self.duplicate, self.reorder, self.pause = (self._some([0.0, 0.1, 0.3]) for _ in range(3))
        self.refuse, self.fail = self._some([0.0, 0.1, 0.3]), self._some([0.0, 0.1, 0.3])
        self.linger = self._some([0.0, 0.1, 0.5])

    def _some(self, rates: list[float]) -> float:
        return self.random.choice(rates) if self.armed else 0.0

    def happens(self, rate: float) -> bool:
        """Whether something of this rate happens now. Costs no chance where it cannot."""
        return rate > 0.0 and self.on and self.random.random() < rate

    def strike(self, site: str) -> str:
        """What happens to this call: "", or its kind, before ("<") or after (">") its effect."""
        if not self.on:
            return ""
        for kind, rate in self.rates.items():
            if rate and self.random.random() < rate and (kind != "conflict" or site in WRITES):
                return kind + (self.random.choice("<>") if kind in ("kill", "error") else "")
        return ""


def raised(fault: str, site: str) -> Exception:
    """The error that the caller sees."""
    if fault == "busy" and site.startswith("arm."):
        return Throttled(f"{site}: 429", after=3.0, code="TooManyRequests")
    if fault == "busy":
        return Unavailable(f"{site}: the server is busy", after=3.0, code="ServerBusy")
    if fault == "conflict" and site in WRITES:
        return Conflict(f"{site}: the answer was lost, and the client's second try found its own write")
    return Unavailable(f"{site}: no answer")


class Faulty:
    """One seam with faults: a call may be cut before or after it had its effect, or its answer may be lost."""

    def __init__(self, name: str, real: Any, world: World) -> None:
        self._name, self._real, self._world = name, real, world

    def __getattr__(self, name: str) -> Any:
        real, site, world = getattr(self._real, name), f"{self._name}.{name}", self._world

        def call(*args: Any, **kwargs: Any) -> Any:
            return world.outside(site, real, *args, **kwargs)

        self.__dict__[name] = call
        return call
