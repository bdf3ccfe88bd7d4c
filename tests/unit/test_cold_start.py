"""Importing the seams costs nothing: the SDKs are imported by whoever makes a client."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SEAMS = [
    "loadme.azure.arm",
    "loadme.azure.credentials",
    "loadme.azure.storage.tables",
    "loadme.azure.storage.blobs",
    "loadme.azure.storage.queues",
]


def test_the_seams_do_not_import_the_sdks() -> None:
    heavy = "[name for name in sys.modules if name.split('.')[0] in ('azure', 'requests', 'msal')]"
    script = f"import sys, {', '.join(SEAMS)}; print({heavy})"

    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=Path(__file__).parents[2])

    assert found.stdout.strip() == "[]", found.stderr
