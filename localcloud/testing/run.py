"""A run that a test has started: waits for its end, and explains itself when it was not what the test wanted."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import httpx

from localcloud.testing.api import Api, Json

OVER = ("succeeded", "failed", "cancelled")
PAUSE = 0.05  # seconds between two looks
TAIL = 12  # lines of a log in an explanation


class RunFailed(AssertionError):
    """A run did not become what the test waited for; the message says what became of it."""


class Status(str):
    """A run's status, that can say why: an assertion about it that fails shows the run's explanation."""

    __slots__ = ("run",)
    run: Run


@dataclass(frozen=True, kw_only=True)
class Step:
    """What has become of a step. `error` has `kind` and `message`; `attempts` counts the container groups."""

    name: str
    status: str
    outputs: Mapping[str, Any]
    error: Mapping[str, Any] | None
    attempts: int


class Run:
    """Its properties show what was last seen: `wait` looks until it is over, `refresh` once."""

    def __init__(self, api: Api, started: Json) -> None:
        self.id = str(started["id"])
        self._api = api
        self._body = started
        self._etag = ""

    @property
    def workflow(self) -> str:
        """Whose run it is."""
        return str(self._body["workflow"])

    @property
    def status(self) -> Status:
        """`queued`, `running`, `succeeded`, `failed`, `cancelled` and so on."""
        status = Status(self._body["status"])
        status.run = self
        return status

    @property
    def is_over(self) -> bool:
        """Whether nothing more will become of it."""
        return self.status in OVER

    @property
    def body(self) -> Json:
        """The run as the function app shows it."""
        return self._body

    @property
    def variables(self) -> Mapping[str, Any]:
        """What it was started with."""
        return dict(self._body.get("variables") or {})

    @property
    def outputs(self) -> Mapping[str, Any]:
        """The outputs of all its steps."""
        return dict(self._body.get("outputs") or {})

    @property
    def error(self) -> Mapping[str, Any] | None:
        """Why it failed: `kind`, `message`, `details` and more."""
        return self._body.get("error")

    @property
    def steps(self) -> Mapping[str, Step]:
        """By name."""
        return {step["name"]: _step(step) for step in self._body.get("steps") or ()}

    def refresh(self) -> Self:
        """Look once."""
        body, self._etag = self._api.run(self.id, self._etag)
        self._body = body or self._body
        return self

    def wait(self, status: str | None = None, *, timeout: float = 60.0) -> Self:
        """Wait until it is over, or until it or one of its steps is in this status. Raises RunFailed, which says what became of it."""
        deadline = time.monotonic() + timeout
        while not self._has_become(status):
            if self.is_over:
                raise RunFailed(f"the run {self.id} did not become {status}\n{self.explain()}")
            if time.monotonic() > deadline:
                raise RunFailed(f"the run {self.id} is not {status or 'over'} after {timeout:g} s\n{self.explain()}")
            time.sleep(PAUSE)
            self.refresh()
        return self

    def wait_for_step(self, step: str, status: str, *, timeout: float = 60.0) -> Step:
        """Wait until a step is in this status, such as `waiting`."""
        deadline = time.monotonic() + timeout
        while (found := self.steps.get(step)) is None or found.status != status:
            if self.is_over or time.monotonic() > deadline:
                raise RunFailed(f"the step {step} of the run {self.id} did not become {status}\n{self.explain()}")
            time.sleep(PAUSE)
            self.refresh()
        return found

    def signal(self, step: str, **outputs: Any) -> None:
        """Answer a step that waits."""
        self._api.post(f"runs/{self.id}/signal/{step}", outputs)

    def cancel(self, reason: str = "", *, force: bool = False) -> None:
        """Stop it; with `force` its steps of `finally` too."""
        self._api.post(f"runs/{self.id}/cancel", ({"reason": reason} if reason else {}) | ({"force": True} if force else {}))

    def resume(self, *, step: str | None = None, **variables: Any) -> Self:
        """Let it go on after its end, from `step` or from what failed."""
        self._body = self._api.post(f"runs/{self.id}/resume", {"from": step, "variables": variables})
        self._etag = ""
        return self

    def logs(self, step: str, *, item: int | None = None, attempt: int | None = None, tail: int | None = None) -> str:
        """The log of a step's container; nothing when there is none."""
        return self._api.log(self.id, step, item=item, attempt=attempt, tail=tail)

    def explain(self) -> str:
        """What has become of it, in lines: its error, its steps, and the last lines of the logs of those that failed.

        It raises nothing: what cannot be read is said so.
        """
        lines = [f"run {self.id} of {self.workflow}: {self._body['status']}", *_error_lines(self.error)]
        for step in self.steps.values():
            lines.append(f"  {step.name}: {step.status}" + (f", {step.attempts} attempts" if step.attempts > 1 else ""))
            if step.error and step.error != self.error:
                lines += [f"  {line}" for line in _error_lines(step.error)]
            if step.status in ("failed", "timed_out"):
                lines += [f"    | {line}" for line in self._last_lines(step.name)]
        return "\n".join(lines)

    def _last_lines(self, step: str) -> list[str]:
        try:
            return self.logs(step, tail=TAIL).splitlines()
        except httpx.HTTPError as error:
            return [f"(the log cannot be read: {error})"]

    def _has_become(self, status: str | None) -> bool:
        return self.is_over if status is None else self.status == status

    def __repr__(self) -> str:
        return f"<run {self.id} of {self.workflow}: {self._body['status']}>"


def _step(shown: Json) -> Step:
    return Step(
        name=shown["name"],
        status=shown["status"],
        outputs=shown.get("outputs") or {},
        error=shown.get("error"),
        attempts=shown.get("attempts") or 0,
    )


def _error_lines(error: Mapping[str, Any] | None) -> list[str]:
    if not error:
        return []
    details = [f"    {detail}" for detail in error.get("details") or ()]
    hint = [f"    {error['hint']}"] if error.get("hint") else []
    return [f"  {error.get('kind')}: {error.get('message')}", *details, *hint]
