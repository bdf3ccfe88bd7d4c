"""One trial: runs are started while the monkey kills; then it stops, everything comes to rest, and every run must be right."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

import httpx

from localcloud.cloud import Cloud
from tests.chaos.leftovers import Leftovers, found_or_trouble
from tests.chaos.load import Api, Load, Shown
from tests.chaos.monkey import Monkey
from tests.chaos.plan import CHECKOUT, Plan, cloud_settings
from tests.chaos.report import Report
from tests.chaos.verdict import Found, verdict

PATROL_EVERY = 3.0  # seconds; a minute on Azure
PAUSE = 0.5


def run_trial(plan: Plan, folder: Path, app: Path = CHECKOUT, *, keep: bool = False) -> Report:
    """On a local cloud of its own in this folder; with `keep` its storage and logs stay there.

    Raises AssertionError when a run is refused, is not accepted in time, or is gone after it was accepted.
    """
    with Cloud(cloud_settings(folder, app, keep=keep)) as cloud, Api(cloud) as api:
        return _Trial(cloud, api, plan).report()


class _Trial:
    def __init__(self, cloud: Cloud, api: Api, plan: Plan) -> None:
        self.cloud = cloud
        self.api = api
        self.plan = plan
        self.load = Load(api, plan)
        self.monkey = Monkey(cloud, plan.strikes)
        self.ended: dict[str, Shown] = {}

    def report(self) -> Report:
        began = time.monotonic()
        with self.monkey:
            self.load.start_all()
            while self.monkey.is_at_it:
                time.sleep(PAUSE)
        calm = time.monotonic()
        left = self._drain()
        rest = time.monotonic()
        found = self._found(left)
        return Report(
            runs=len(self.load.runs),
            containers=len(found.starts),
            extra_starts=len(found.extra),
            kills=self.monkey.kills,
            revived=self.monkey.revived,
            posts=self.load.tries,
            storm=calm - began,
            drain=rest - calm,
            durations=[_seconds(shown) for shown in self.ended.values()],
            wrong=verdict(found),
        )

    def _drain(self) -> dict[str, int]:
        """What is left at the end; waits until that is nothing, at most until the deadline."""
        deadline = time.monotonic() + self.plan.drain
        patrol = 0.0
        with Leftovers(self.cloud) as leftovers:
            while time.monotonic() < deadline:
                self.monkey.revive()
                if time.monotonic() > patrol:
                    self._patrol()
                    patrol = time.monotonic() + PATROL_EVERY
                self._look()
                if len(self.ended) == len(self.load.runs) and not found_or_trouble(leftovers):
                    return {}
                time.sleep(PAUSE)
            return found_or_trouble(leftovers)

    def _patrol(self) -> None:
        """The patrol's own timer has no seconds to lose; through the door that every Functions host has."""
        address, key = f"{self.cloud.url}/admin/functions/patrol", {"x-functions-key": self.cloud.master_key}
        try:
            httpx.post(address, json={}, headers=key, timeout=15, trust_env=False)
        except httpx.TransportError:
            return

    def _look(self) -> None:
        for run in self.load.runs.values():
            if run not in self.ended and (shown := self.api.show(run)) and shown["status"] != "running":
                self.ended[run] = shown

    def _found(self, left: dict[str, int]) -> Found:
        """Read anew: an end that was seen must not change any more."""
        runs = self.load.runs
        return Found(
            runs=runs,
            shown={run: shown for run in runs.values() if (shown := self.api.show(run))},
            starts={name: group["starts"] for name, group in self.cloud.groups().items()},
            listed=self.api.all_runs(),
            left=left,
        )


def _seconds(shown: Shown) -> float:
    return (datetime.fromisoformat(shown["ended_at"]) - datetime.fromisoformat(shown["created_at"])).total_seconds()
