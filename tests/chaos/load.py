"""The user's side: starts runs, and asks what became of them, over HTTP, whatever is down at the moment."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from localcloud.cloud import Cloud
from tests.chaos.expected import WORKFLOWS
from tests.chaos.plan import Plan

ACCEPT_DEADLINE = 120.0
AT_ONCE = 4
PAUSE = 0.3

Shown = dict[str, Any]


class Api:
    """What a user has: an address and a key."""

    def __init__(self, cloud: Cloud) -> None:
        self._client = httpx.Client(base_url=cloud.url, headers={"x-functions-key": cloud.key}, trust_env=False, timeout=15)

    def __enter__(self) -> Api:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def try_start(self, workflow: str, key: str, n: int) -> str | None:
        """The run; None when there was no answer, or one that says to try again."""
        try:
            answer = self._client.post(f"/api/workflows/{workflow}/runs", json={"n": n}, headers={"Idempotency-Key": key})
        except httpx.TransportError:
            return None
        assert answer.status_code == 202 or answer.status_code >= 500, f"{answer.status_code} {answer.text}"
        return str(answer.json()["id"]) if answer.status_code == 202 else None

    def show(self, run: str) -> Shown | None:
        """The run as it is shown; None when it cannot be had at the moment."""
        try:
            answer = self._client.get(f"/api/runs/{run}")
        except httpx.TransportError:
            return None
        assert answer.status_code == 200 or answer.status_code >= 500, f"{run} was accepted, and now: {answer.status_code} {answer.text}"
        return answer.json() if answer.status_code == 200 else None

    def all_runs(self) -> list[str]:
        """Every run there is, by the listing."""
        found: list[str] = []
        more = ""
        while True:
            page = self._client.get("/api/runs", params={"limit": 100, **({"continuation": more} if more else {})}).json()
            found += [run["id"] for run in page["runs"]]
            more = page.get("continuation") or ""
            if not more:
                return found


class Load:
    """Starts the plan's runs, each with a key of its own, again and again until it is accepted; `runs` maps their numbers to their ids."""

    def __init__(self, api: Api, plan: Plan) -> None:
        self.runs: dict[int, str] = {}
        self.tries = 0
        self._api = api
        self._plan = plan
        self._began = time.monotonic()
        self._lock = threading.Lock()

    def start_all(self) -> None:
        """Returns when all are accepted; raises AssertionError when one is refused, or not accepted in time."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for started in [pool.submit(self._start, number) for number in range(self._plan.runs)]:
                started.result()

    def _start(self, number: int) -> None:
        time.sleep(max(0.0, self._began + number * self._plan.pace - time.monotonic()))
        deadline = time.monotonic() + ACCEPT_DEADLINE
        while (run := self._api.try_start(workflow_of(number), f"chaos {self._plan.seed} {number}", number)) is None:
            assert time.monotonic() < deadline, f"run {number} was not accepted in {ACCEPT_DEADLINE:g} s"
            with self._lock:
                self.tries += 1
            time.sleep(PAUSE)
        with self._lock:
            self.tries += 1
            self.runs[number] = run


def workflow_of(number: int) -> str:
    """They take turns."""
    return WORKFLOWS[number % len(WORKFLOWS)]
