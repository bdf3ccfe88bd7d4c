"""The side door in Python: what a test does to a cloud, and asks of it, that nobody can do to Azure."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from localcloud.arm import by_hand
from localcloud.arm.faults import Fault
from localcloud.arm.journal import Asked
from localcloud.clock import ScaledClock
from localcloud.credentials import LocalCredential
from localcloud.settings import APP_IDENTITY

if TYPE_CHECKING:
    from localcloud.azure import Azure
    from localcloud.azurite import Azurite

SHOWN = 10  # calls in the words of a wait that was in vain


class Controls:
    """What `Cloud` inherits. The names and keys are those of the side door: see `localcloud.arm.side_door`."""

    @property
    def azure(self) -> Azure:
        """The running part."""
        raise NotImplementedError

    @property
    def azurite(self) -> Azurite:
        """Storage."""
        raise NotImplementedError

    @property
    def clock(self) -> ScaledClock:
        """The clock of ARM, of tokens and of vaults: `advance`, `pause`, `resume`, `set_scale`."""
        return self.azure.clock

    def add_fault(self, name: str = "", **keys: Any) -> str:
        """Script a fault, a ready-made one by its name (`no-capacity`) or one of these keys; its id. Raises ValueError for nonsense."""
        return self.azure.state.faults.add(Fault.read({**({"name": name} if name else {}), **keys}))

    def drop_fault(self, identifier: str) -> None:
        """Let a fault end."""
        self.azure.state.faults.drop(identifier)

    def clear_faults(self) -> None:
        """Let all faults end."""
        self.azure.state.faults.clear()

    def faults(self) -> list[dict[str, Any]]:
        """Those still to come, with how often each has happened."""
        return self.azure.state.faults.listing()

    def calls(self, **asked: Any) -> list[dict[str, Any]]:
        """The calls that ARM, vaults and identity endpoints got: all, or those that are asked for (`service`, `method`, `route`, ...)."""
        return self.azure.state.journal.listing(Asked.read(asked))

    def wait_for_call(self, timeout: float = 30.0, count: int = 1, **asked: Any) -> list[dict[str, Any]]:
        """Such calls as soon as there are so many. Raises TimeoutError, which says what was called instead."""
        found = self.azure.state.journal.wait(Asked.read(asked), timeout, count)
        if len(found) >= count:
            return found
        last = [
            f"  {call['service']} {call['method']} {call['path']} -> {call['status']}"
            for call in self.calls(service=asked.get("service", ""))[-SHOWN:]
        ]
        words = ", ".join(f"{name}={value}" for name, value in asked.items())
        raise TimeoutError("\n".join([f"{len(found)} of {count} calls ({words}) in {timeout:g} s; what was called instead:", *last]))

    def clear_calls(self) -> None:
        """Forget the calls so far."""
        self.azure.state.journal.clear()

    def release(self, name: str) -> None:
        """Let a container group or a deployment go on that a fault holds."""
        by_hand.release(self.azure.state, name)

    def exit_container(self, group: str, code: int = 0, *, container: str = "", oom: bool = False) -> None:
        """End a container with this code, or as one that is out of memory."""
        by_hand.exit_container(self.azure.state, group, container=container, code=code, oom=oom)

    def restart_container(self, group: str, *, container: str = "") -> None:
        """Have ACI start a container again."""
        by_hand.restart(self.azure.state, group, container=container)

    def evict(self, group: str, *, gone: bool = False) -> None:
        """Take a container group's machine away."""
        by_hand.evict(self.azure.state, group, gone=gone)

    def arm_calls(self) -> list[dict[str, Any]]:
        """Every call that ARM has received."""
        return self.azure.calls()

    def groups(self) -> dict[str, Any]:
        """Every container group there ever was, with how often its processes were started."""
        return self.azure.groups()

    def credential(self, identity: str = APP_IDENTITY) -> LocalCredential:
        """A credential for SDK clients that act as one of the identities."""
        return LocalCredential(self.azure.signer, self.azure.identities[identity])

    def send(self, queue: str, body: str) -> None:
        """Put a message on a queue, as the app would: also to deliver one again."""
        from azure.storage.queue import QueueClient

        with QueueClient.from_connection_string(self.azurite.connection_string, queue, connection_verify=str(self.azure.ca)) as client:
            client.send_message(base64.b64encode(body.encode()).decode())
