"""A process like a container inside loadme."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from localcloud.tokens import Identity

ROOT = Path(__file__).parents[2]
CONTAINER = Identity(name="loadme-container", resource_id="/identities/loadme-container", client_id="client", principal_id="principal")


@dataclass
class Container:
    """Runs Python in an empty directory with an environment like a container's."""

    environment: Mapping[str, str]
    folder: Path

    def run(self, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, *command], env={**self.environment, **more}, cwd=self.folder, capture_output=True, text=True, timeout=60
        )
        assert list(self.folder.iterdir()) == [], "it left something in its working directory"
        return done
