"""The cloud of the working directory, and its side door as the commands use it."""

from __future__ import annotations

import functools
import json
import ssl
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import click
import httpx

from localcloud.cli.errors import NotUp, Trouble
from localcloud.cli.options import STATE
from localcloud.statefile import StateFile

Json = dict[str, Any]
TIMEOUT = 120.0  # seconds: a reset starts storage and the Functions host again


def found_here() -> Json:
    """What the state file says. Raises NotUp, also for a file that does not say enough."""
    found = StateFile(STATE).read()
    if not found or not found.keys() >= {"arm", "ca"}:
        raise NotUp("none is up in this folder: start one with python -m localcloud up")
    return found


class Side:
    """A client of the side door. Every method raises Trouble with the door's own words."""

    def __init__(self, found: Json, transport: httpx.BaseTransport | None = None) -> None:
        verify = ssl.create_default_context(cafile=found["ca"]) if transport is None else True
        self._client = httpx.Client(
            base_url=f"{found['arm']}/localcloud", verify=verify, timeout=TIMEOUT, transport=transport, trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._client.close()

    def get(self, path: str, /, **asked: Any) -> Json:
        """Look."""
        return self._json("GET", path, params={name: value for name, value in asked.items() if value not in (None, "")})

    def post(self, path: str, content: Any = None) -> Json:
        """Do something."""
        return self._json("POST", path, json=content if content is not None else {})

    def delete(self, path: str, /, **asked: Any) -> Json:
        """Drop something."""
        return self._json("DELETE", path, params=asked)

    def _json(self, method: str, path: str, **request: Any) -> Json:
        try:
            answer = self._client.request(method, path, **request)
            content: Json = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Trouble(f"{self._client.base_url} does not answer as it should ({error}): is it still up?") from None
        if answer.is_error:
            raise Trouble(str(content.get("error", content)))
        return content


def at_side_door(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the side door as its first argument."""

    @functools.wraps(command)
    def wrapped(**arguments: Any) -> None:
        with Side(found_here()) as side:
            command(side, **arguments)

    return wrapped


def emit(thing: Any) -> None:
    """Print a JSON document."""
    click.echo(json.dumps(thing, indent=2, ensure_ascii=False))


def table(rows: Sequence[Sequence[object]]) -> str:
    """Columns as wide as they must be; the last one as it is."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]) - 1)] if cells else []
    lines = ["  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]) for row in cells]
    return "\n".join(line.rstrip() for line in lines)
