"""Runs a function as a container, in a process of its own: `python call.py FILE NAME`. Standard library only, for it starts often.

The function gets those variables that are its parameters, by name: text where it is annotated `str`, else what JSON makes of it. The
dict that it returns are the outputs. Raising is failing. How it ended is reported by the callback that every container is given.
"""

from __future__ import annotations

import http.client
import importlib.util
import inspect
import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PREFIX = "___"  # of the variables in the environment, unless the app is set to another one
PATIENCE = 60.0  # seconds
LINES = 20  # of a traceback in an error


def main(file: str, name: str) -> int:
    """Call it and report; the exit code is the function's own, if it exits."""
    try:
        function = getattr(_module(Path(file)), name)
        outputs = function(**_arguments(function))
    except Exception as error:
        own = error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)
        lines = "".join(traceback.format_exception(own)).splitlines()[-LINES:]
        print("\n".join(lines), file=sys.stderr, flush=True)
        message = f"{type(error).__name__}: {error}"
        return _report("/failure", {"kind": "exit_code", "message": message, "exit_code": 1, "log": lines})
    return _report("", outputs or {})


def _module(file: Path) -> Any:
    # As pytest imports it: its neighbours can be imported by name.
    sys.path.insert(0, str(file.parent))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module


def _arguments(function: Any) -> dict[str, Any]:
    found = {}
    for name, parameter in inspect.signature(function).parameters.items():
        text = os.environ.get(f"{PREFIX}{name.upper()}", os.environ.get(name))
        if text is not None:
            found[name] = text if parameter.annotation in (str, "str") else _read(text)
    return found


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _report(path: str, body: Any) -> int:
    """Post it until it is answered by more than an outage. 0, as loadme's runner exits whatever its command did."""
    deadline, pause = time.monotonic() + PATIENCE, 0.1
    while (answer := _post(path, json.dumps(body))) >= 500 or answer in (0, 429):
        if time.monotonic() > deadline:
            print(f"the callback was not delivered: {answer or 'no answer'}", flush=True)
            return 1
        time.sleep(pause)
        pause = min(2 * pause, 5.0)
    if 400 <= answer < 500 and answer not in (409, 410):
        print(f"the callback was refused with {answer}", flush=True)
    return 0


def _post(path: str, content: str) -> int:
    """The status of the answer; 0 for none."""
    url = urlsplit(os.environ["LOADME_CALLBACK_URL"])
    headers = {"Authorization": f"Bearer {os.environ['LOADME_CALLBACK_TOKEN']}", "Content-Type": "application/json"}
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=30)
    try:
        connection.request("POST", url.path.rstrip("/") + path, content, headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
