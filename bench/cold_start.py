"""Cold start: time to import the function app, and what it adds to the worker's memory.

Each figure is the median of seven fresh processes. The worker has imported azure.functions before it imports the app.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

RUNS = 7
PROBE = """
import resource, time
import azure.functions
before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
import function_app
print(time.perf_counter() - began, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
began = time.perf_counter()
from loadme import app
app.services().tables
print(time.perf_counter() - began, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""
SETTINGS = {
    "AzureWebJobsStorage__accountName": "contoso",
    "LOADME_SUBSCRIPTION_ID": "s",
    "LOADME_RESOURCE_GROUP": "g",
    "LOADME_LOCATION": "l",
    "LOADME_TEMPLATE_SPEC": "t",
    "LOADME_TOKEN_KEYS": "k:MDEyMzQ1Njc4OWFiY2RlZg==",
}


def probe() -> list[tuple[float, float]]:
    """Seconds and megabytes: of the import, and up to the services that the first function needs."""
    environment = {**os.environ, **SETTINGS}
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", PROBE], env=environment, cwd=root, capture_output=True, text=True, check=True)
    return [(float(seconds), float(megabytes)) for seconds, megabytes in (line.split() for line in done.stdout.splitlines())]


def measure() -> Iterator[str]:
    """A table of medians."""
    runs = [probe() for _ in range(RUNS)]
    yield "| what | seconds | MB above azure.functions |\n|---|---|---|"
    for index, what in enumerate(("import function_app", "then the clients of storage and ARM")):
        seconds, megabytes = (statistics.median(run[index][part] for run in runs) for part in (0, 1))
        yield f"| {what} | {seconds:.3f} | {megabytes:.1f} |"
