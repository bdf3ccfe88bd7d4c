"""What a trial showed, as text."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Report:
    """`durations` are the runs' seconds from acceptance to end; `wrong` is empty if everything is as it must be."""

    runs: int
    containers: int
    extra_starts: int
    kills: Mapping[str, int]
    revived: int
    posts: int
    storm: float
    drain: float
    durations: Sequence[float] = ()
    wrong: Sequence[str] = ()

    def text(self) -> str:
        """A table in Markdown, and what is wrong."""
        rows = [
            ("runs accepted, each ended right" if not self.wrong else "runs accepted", f"{self.runs}"),
            ("requests that it took to have them accepted", f"{self.posts}"),
            ("containers", f"{self.containers}"),
            ("containers that were started more than once", f"{self.extra_starts}"),
            *((f"kills: {kind}", f"{count}") for kind, count in sorted(self.kills.items())),
            ("ends of the Functions host that followed from a kill", f"{self.revived}"),
            ("seconds of kills", f"{self.storm:.0f}"),
            ("seconds from the last kill until nothing was left", f"{self.drain:.0f}"),
            *self._times(),
        ]
        table = "\n".join(f"| {name} | {value} |" for name, value in rows)
        wrong = "".join(f"\n- {line}" for line in self.wrong)
        return f"| what | |\n|---|---|\n{table}\n" + (f"\nWrong:\n{wrong}\n" if wrong else "")

    def _times(self) -> list[tuple[str, str]]:
        if not self.durations:
            return []
        return [
            ("a run's seconds, median", f"{statistics.median(self.durations):.0f}"),
            ("a run's seconds, slowest", f"{max(self.durations):.0f}"),
        ]
