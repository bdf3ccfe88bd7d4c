"""Operation results: what a client polls at the `Location` of a 202 until there is an answer."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING

from localcloud.arm.calls import Call, Reply
from localcloud.arm.errors import ArmError
from localcloud.arm.ids import guid
from localcloud.arm.routing import Route

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

_KEPT = 1_000
Look = Callable[[], Reply | None]
"""The answer, or None as long as there is none."""


class OperationResults:
    """The newest are kept, whatever has become of what they are about."""

    def __init__(self, state: ArmState) -> None:
        self._state = state
        self._looks: dict[str, Look] = {}

    def routes(self) -> list[Route]:
        return [Route("GET", "/subscriptions/{subscription}/operationresults/{job}", self.get, action="")]

    def begin(self, call: Call, kind: str, look: Look) -> Reply:
        """The 202 that answers the call. `kind` is the job's: `DeploymentDeletionJob`."""
        # Azure's are base64 of the job's name, too.
        name = f'{{"jobId":"{kind}-{guid(self._state.ids)}","jobLocation":"westus"}}'
        job = base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")
        self._looks[job] = look
        if len(self._looks) > _KEPT:
            del self._looks[next(iter(self._looks))]
        return self._pending(call, f"/subscriptions/{self._state.settings.subscription}/operationresults/{job}")

    def get(self, call: Call, job: str) -> Reply:
        look = self._looks.get(job)
        if look is None:
            raise ArmError(404, "OperationNotFound", f"The operation '{job}' could not be found.")
        return look() or self._pending(call, call.path)

    def _pending(self, call: Call, path: str) -> Reply:
        return Reply(status=202, headers={"Location": call.address(path), "Retry-After": "1"})
