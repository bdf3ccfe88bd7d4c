"""The Python environment in which Microsoft's own worker library runs the app: `python tests/contract/worker_environment.py`.

It is apart from the development environment, for azure-functions-runtime declares Python 3.13. On older ones, which it runs on as
well, it is installed without its dependencies, beside the azure-functions that Azure has there.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDER = CHECKOUT / ".venv-worker"
REQUIREMENTS = CHECKOUT / "requirements.txt"
RUNTIME = "azure-functions-runtime==1.3.0"


def python() -> Path:
    """Its interpreter; the environment is made first when it is missing or the requirements have changed."""
    marker = FOLDER / "made-from"
    wanted = _fingerprint()
    if not marker.is_file() or marker.read_text() != wanted:
        _make()
        marker.write_text(wanted)
    return FOLDER / "bin" / "python"


def _fingerprint() -> str:
    return hashlib.sha256(f"{sys.version} {RUNTIME}".encode() + REQUIREMENTS.read_bytes()).hexdigest()


def _make() -> None:
    _run(sys.executable, "-m", "venv", "--clear", FOLDER)
    pip = (FOLDER / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    _run(*pip, "-r", REQUIREMENTS)
    _run(*pip, "--no-deps", "--ignore-requires-python", RUNTIME)


def _run(*command: str | Path) -> None:
    """Raises RuntimeError with what the command said."""
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"the worker's environment could not be made: {result.stderr.strip() or result.stdout.strip()}")


if __name__ == "__main__":
    print(f"worker environment: {python().parent.parent}")
