"""Indexes one app after the other with an engine: `index_probe.py ENGINE`, the apps' code as a JSON list on standard input.

Says, as a JSON list on standard output, what each was refused for, or the names of its functions.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import tempfile
from pathlib import Path

from localcloud.host.worker import make_engine


def indexed(engine: str, code: str) -> str | list[str]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "function_app.py").write_text(code)
        sys.path[0] = folder
        sys.modules.pop("function_app", None)
        importlib.invalidate_caches()
        if engine == "runtime":
            library = importlib.import_module("azure_functions_runtime.handle_event")
            library._functions._functions.clear()
        try:
            return [function.name for function in asyncio.run(make_engine(engine, Path(folder)).index())]
        except Exception as error:
            return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.path.insert(0, "")
    print(json.dumps([indexed(sys.argv[1], code) for code in json.load(sys.stdin)]))
