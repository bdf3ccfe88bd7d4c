"""Reading the log of an attempt: from ACI while there is a container, from the archive afterwards."""

from __future__ import annotations

from loadme.core import loglines
from loadme.core.outcome import Outcome
from loadme.core.state import Attempt
from loadme.errors import Rejected, Retryable
from loadme.handlers import archive
from loadme.services import Services


def read(services: Services, attempt: Attempt, outcome: Outcome | None, container: str) -> str:
    """The log of one container of the attempt's group, or of its own if none is named. Raises Rejected(404)."""
    name = attempt.group
    live = _live(services, name, container) if outcome is None else None
    text = live if live is not None else archive.read(services, name, container)
    if text is None and outcome is not None and attempt.cleanup == "wanted":
        # It has its outcome, but cleanup has not been there yet.
        text = _live(services, name, container)
    if text is None:
        state = "the container has not written anything yet" if outcome is None else "it was launched, but Azure had no log of it to save"
        raise Rejected(404, "No log", f"there is no log of {container or name}: {state}")
    return loglines.masked(text)


def tail(text: str, lines: int | None) -> str:
    """The last lines of a text, or all of it."""
    return text if lines is None else "".join(text.splitlines(keepends=True)[-lines:])


def _live(services: Services, name: str, container: str) -> str | None:
    try:
        return services.arm.logs(name, container or name)
    except Retryable as trouble:
        if trouble.code == "ContainerGroupTransitioning":  # it is being started: there is nothing to read yet
            return None
        raise
