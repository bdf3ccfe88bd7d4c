"""What each run must have come to, worked out by other means than the containers'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

WORKFLOWS = ("chain", "diamond", "fan-out", "failing", "silent")


@dataclass(frozen=True, kw_only=True)
class Expected:
    """The end of a run; `error` has the step, the kind and the exit code; `containers` names the steps that must have run."""

    status: str = "succeeded"
    outputs: Mapping[str, int] = field(default_factory=dict)
    error: tuple[str, str, int] | None = None
    containers: Sequence[str] = ()
    skipped: Sequence[str] = ()

    def differences(self, shown: Mapping[str, Any]) -> list[str]:
        """What is otherwise in a run as `GET /api/runs/{run}` shows it."""
        error = shown["error"] and (shown["error"]["step"], shown["error"]["kind"], shown["error"]["exit_code"])
        steps = {step["name"] for step in shown["steps"] if step["status"] == "skipped"}
        pairs = [
            ("status", shown["status"], self.status),
            ("outputs", shown["outputs"], dict(self.outputs)),
            ("error", error, self.error),
            ("skipped steps", steps, set(self.skipped)),
        ]
        return [f"{name} {found!r} instead of {wanted!r}" for name, found, wanted in pairs if found != wanted]


def expected(workflow: str, n: int) -> Expected:
    """The end of a run of this workflow with the variable `n`."""
    return {
        "chain": Expected(outputs={"a": n + 1, "b": 2 * n + 2, "c": 3 * n + 2}, containers=("first", "second", "third")),
        "diamond": Expected(
            outputs={"left_n": n, "right_n": -n, "left": 3 * n, "right": 7 - n, "total": 2 * n + 7},
            containers=("split", "left", "right", "join"),
        ),
        "fan-out": Expected(
            outputs={"part_1": n, "part_2": 2 * n, "part_3": 3 * n, "part_4": 4 * n, "total": 10 * n},
            containers=("spread", "part-1", "part-2", "part-3", "part-4", "gather"),
        ),
        "failing": Expected(
            status="failed",
            outputs={"beside": n},
            error=("break", "exit_code", 3),
            containers=("break", "beside"),
            skipped=("after",),
        ),
        "silent": Expected(status="failed", error=("vanish", "exit_code", 137), containers=("vanish",), skipped=("after",)),
    }[workflow]
