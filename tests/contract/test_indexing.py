"""Which apps are accepted, and what the others are refused for: ours says what Microsoft's worker library says. (Section 8.)"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.contract.conftest import ROOT, worker_library

HEAD = "import typing\nimport azure.functions as func\napp = func.FunctionApp()\n"
QUEUE = "@app.queue_output(arg_name='out', queue_name='q', connection='c')\n"
TRIGGER = "@app.queue_trigger(arg_name='msg', queue_name='q', connection='c')\n"

ACCEPTED = {
    "http": HEAD + "@app.route(route='x')\ndef f(req: func.HttpRequest) -> func.HttpResponse: ...",
    "without annotations": HEAD + "@app.route(route='x')\ndef f(req): ...",
    "text": HEAD + "@app.route(route='x')\ndef f(req: func.HttpRequest) -> str: ...",
    "a coroutine with a context": HEAD + "@app.route(route='x')\nasync def f(req: func.HttpRequest, context: func.Context): ...",
    "an output of text": HEAD + "@app.route(route='x')\n" + QUEUE + "def f(req: func.HttpRequest, out: func.Out[str]): ...",
    "an output of bytes": HEAD + "@app.route(route='x')\n" + QUEUE + "def f(req: func.HttpRequest, out: func.Out[bytes]): ...",
    "an output of a list": HEAD + "@app.route(route='x')\n" + QUEUE + "def f(req: func.HttpRequest, out: func.Out[typing.List[str]]): ...",
    "an output of a message": HEAD
    + "@app.route(route='x')\n"
    + QUEUE
    + "def f(req: func.HttpRequest, out: func.Out[func.QueueMessage]): ...",
    "a message as text": HEAD + TRIGGER + "def f(msg: str): ...",
    "a message that is handed on": HEAD + TRIGGER + QUEUE.replace("'out'", "'$return'") + "def f(msg: func.QueueMessage) -> str: ...",
    "a timer": HEAD + "@app.timer_trigger(arg_name='t', schedule='0 * * * * *')\ndef f(t: func.TimerRequest) -> None: ...",
}

NOT_IN_THE_DEFINITION = (
    "the following parameters are declared in Python but not in the function definition (function.json or function decorators)"
)
REFUSED = {
    "no app": ("", "Could not find top level function app instances in function_app.py."),
    "two apps": (HEAD + "other = func.FunctionApp()", "More than one FunctionApp or other top level function app instances are defined."),
    "an import that fails": ("raise RuntimeError('no setting')", "no setting"),
    "no Python": ("def broken(:", "invalid syntax"),
    "a parameter without a binding": (HEAD + "@app.route(route='x')\ndef f(req, more): ...", NOT_IN_THE_DEFINITION + ":  {'more'}"),
    "a binding without a parameter": (HEAD + "@app.route(route='x')\n" + QUEUE + "def f(req): ...", "not present in Python: {'out'}"),
    "a list of PEP 585": (
        HEAD + "@app.route(route='x')\n" + QUEUE + "def f(req, out: func.Out[list[str]]): ...",
        "binding out has invalid non-type annotation azure.functions._abc.Out[list[str]]",
    ),
    "an optional request": (
        HEAD + "@app.route(route='x')\ndef f(req: func.HttpRequest | None): ...",
        "binding req has invalid non-type annotation",
    ),
    "an output that is none": (
        HEAD + "@app.route(route='x')\n" + QUEUE + "def f(req, out: str): ...",
        'binding out is declared to have the "out" direction, but its annotation in Python is not a subclass of azure.functions.Out',
    ),
    "an input that is an output": (
        HEAD + "@app.route(route='x')\ndef f(req: func.Out[str]): ...",
        'binding req is declared to have the "in" direction in the binding decorator, but its annotation is azure.functions.Out in Python',
    ),
    "another trigger's type": (
        HEAD + TRIGGER + "def f(msg: func.HttpRequest): ...",
        "in the binding decorator do not match the corresponding function parameter's Python type annotation HttpRequest",
    ),
    "an output of numbers": (
        HEAD + "@app.route(route='x')\n" + QUEUE + "def f(req, out: func.Out[int]): ...",
        "in the binding decorator do not match the corresponding function parameter's Python type annotation int",
    ),
    "an answer of None": (
        HEAD + "@app.route(route='x')\ndef f(req: func.HttpRequest) -> None: ...",
        'Python return annotation "NoneType" does not match binding type "http"',
    ),
    "an optional answer": (
        HEAD + "@app.route(route='x')\ndef f(req: func.HttpRequest) -> func.HttpResponse | None: ...",
        "has invalid non-type return annotation",
    ),
    "a context of another type": (
        HEAD + "@app.route(route='x')\ndef f(req, context: int): ...",
        'the "context" parameter is expected to be of type azure.functions.Context, got "<class \'int\'>"',
    ),
    "two functions of one name": (
        HEAD + "@app.route(route='x')\ndef f(req): ...\n@app.function_name('f')\n@app.route(route='y')\ndef g(req): ...",
        "does not have a unique function name",
    ),
}


@cache
def indexed(engine: str) -> dict[str, str | list[str]]:
    """What became of each app."""
    codes = {**ACCEPTED, **{name: code for name, (code, _) in REFUSED.items()}}
    python = Path(sys.executable) if engine == "sdk" else worker_library()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [str(python), str(Path(__file__).with_name("index_probe.py")), engine]
    done = subprocess.run(command, input=json.dumps(list(codes.values())), env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(zip(codes, json.loads(done.stdout.splitlines()[-1]), strict=True))


@pytest.mark.parametrize("name", ACCEPTED)
def test_it_is_accepted(engine: str, name: str) -> None:
    assert indexed(engine)[name] == ["f"]


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused(engine: str, name: str) -> None:
    assert REFUSED[name][1] in indexed(engine)[name]
