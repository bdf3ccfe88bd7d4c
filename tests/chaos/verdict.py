"""Whether what a trial found at its end is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.chaos.expected import expected
from tests.chaos.load import Shown, workflow_of


@dataclass(frozen=True, kw_only=True)
class Found:
    """`runs` maps each start's number to the run that was accepted for it; `shown` has those that could be read.

    `starts` says of each container group that there ever was how often its container was started; `left` is what should be gone.
    """

    runs: Mapping[int, str]
    shown: Mapping[str, Shown]
    starts: Mapping[str, int]
    listed: Sequence[str]
    left: Mapping[str, int]

    @property
    def extra(self) -> dict[str, int]:
        """The container groups whose container was started more than once."""
        return {name: count for name, count in self.starts.items() if count > 1}


def verdict(found: Found) -> list[str]:
    """What is wrong, a line each."""
    lines = [line for number, run in sorted(found.runs.items()) for line in _of_run(number, run, found.shown.get(run))]
    lines += _of_containers(found)
    accepted = set(found.runs.values())
    lines += [f"{run} is listed, but nobody was told of it" for run in sorted(set(found.listed) - accepted)]
    lines += [f"{run} is not listed" for run in sorted(accepted - set(found.listed))]
    return lines + [f"{count} left of: {name}" for name, count in found.left.items()]


def _of_run(number: int, run: str, shown: Shown | None) -> list[str]:
    workflow = workflow_of(number)
    differences = expected(workflow, number).differences(shown) if shown else ["cannot be read"]
    return [f"{run} ({workflow}): {what}" for what in differences]


def _of_containers(found: Found) -> list[str]:
    wanted = {f"lm-{run}-{step}-0-1" for number, run in found.runs.items() for step in expected(workflow_of(number), number).containers}
    started = {name for name, count in found.starts.items() if count}
    return [
        *(f"{name} was started {count} times" for name, count in found.extra.items()),
        *(f"{name} was never started" for name in sorted(wanted - started)),
        *(f"{name} should not have been" for name in sorted(set(found.starts) - wanted)),
    ]
