"""Latency: from the 202 of an accepted callback to the next container group's deployment PUT at ARM.

Over the local cloud, one run at a time: two queue hops (loadme-outcomes, loadme-steps), real Azurite, the genuine SDKs. This process plays
the container, so that both moments are read from one clock.
"""

from __future__ import annotations

import base64
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from loadme.core import tokens
from localcloud.arm import ArmSettings, Limits
from localcloud.cloud import Cloud, CloudSettings

STEPS = 40
POLLING = "00:00:02"
DEADLINE = 120.0
ROOT = Path(__file__).resolve().parents[1]


def workflow(steps: int) -> str:
    """A chain whose containers only wait to be replaced by this process."""
    lines = [
        f"  s{number}: {{image: 'loadme.local/shell:1', command: [sleep, '600'], needs: [{f's{number - 1}' if number else ''}]}}"
        for number in range(steps)
    ]
    return "name: chain\nsteps:\n" + "\n".join(lines)


def measure() -> Iterator[str]:
    """Median and 95th percentile in milliseconds, and ARM calls per step."""
    with tempfile.TemporaryDirectory() as folder:
        workflows = Path(folder, "workflows")
        workflows.mkdir()
        Path(workflows, "chain.yaml").write_text(workflow(STEPS))
        arm = ArmSettings(restart_probability=0.0, limits=Limits(five_minutes=10_000, hour=10_000))
        # The local cloud polls its queues more often than host.json says; the figures are to speak of the app as it is deployed.
        polling = {"AzureFunctionsJobHost__extensions__queues__maxPollingInterval": POLLING}
        settings = CloudSettings(
            app=ROOT, folder=Path(folder, "cloud"), workflows=workflows, fixed_ports=False, arm=arm, environment=polling
        )
        with Cloud(settings) as cloud:
            waits = list(_drive(cloud))
            calls = [call for call in cloud.arm_calls() if "lm-" in call["path"]]
    ordered = sorted(waits)
    late = ordered[int(len(ordered) * 0.95)]
    yield f"median {statistics.median(ordered) * 1000:.0f} ms, 95th percentile {late * 1000:.0f} ms, {len(ordered)} steps"
    yield f"ARM calls about container groups and deployments: {len(calls) / STEPS:.1f} per step (what is still under way is not in it)"


def _drive(cloud: Cloud) -> Iterator[float]:
    client = httpx.Client(base_url=cloud.url, headers={"x-functions-key": cloud.key}, trust_env=False, timeout=30)
    with client:
        run = client.post("/api/workflows/chain/runs", json={}).json()["id"]
        _put_time(cloud, f"lm-{run}-s0-0-1")
        for number in range(STEPS - 1):
            attempt, following = f"lm-{run}-s{number}-0-1", f"lm-{run}-s{number + 1}-0-1"
            answer = client.post(f"/api/callback/{attempt}", json={}, headers={"authorization": f"Bearer {_token(cloud, attempt)}"})
            answered = datetime.now(UTC)
            assert answer.status_code == 202, answer.text
            yield (_put_time(cloud, following) - answered).total_seconds()


def _put_time(cloud: Cloud, attempt: str) -> datetime:
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        for call in reversed(cloud.arm_calls()):
            if call["method"] == "PUT" and call["path"].endswith(f"/deployments/{attempt}"):
                return datetime.fromisoformat(call["time"])
        time.sleep(0.02)
    raise TimeoutError(f"no deployment of {attempt} within {DEADLINE:g} s")


def _token(cloud: Cloud, attempt: str) -> str:
    kid, _, key = cloud.environment["LOADME_TOKEN_KEYS"].partition(":")
    keys: dict[str, Any] = {kid: base64.b64decode(key)}
    return tokens.sign(keys, attempt, datetime.now(UTC) + timedelta(hours=1))
