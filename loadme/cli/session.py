"""What every command that talks to a function app has: its connection, its options, its way to print."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console, RenderableType

from loadme.cli import render, values
from loadme.cli.api import Api, Json
from loadme.cli.errors import Trouble
from loadme.cli.outside import Outside
from loadme.cli.target import find
from loadme.cli.watch import watch


@dataclass(frozen=True, kw_only=True)
class Session:
    """One call of a command. `as_json` means that standard output belongs to a machine."""

    api: Api
    outside: Outside
    console: Console
    as_json: bool

    def run_id(self, named: str) -> str:
        """The id that was given, or for `@latest` that of the newest run that is no step of another one."""
        return self.api.latest() if named == "@latest" else named

    def show(self, machine: Any, people: Callable[[], RenderableType]) -> None:
        """Print the answer for whoever reads it."""
        if self.as_json:
            emit(machine)
        else:
            self.console.print(people())

    def say(self, text: str) -> None:
        """Print a line for people as it happens; `--json` has one document at the end instead."""
        if not self.as_json:
            click.echo(text)

    def follow(self, run: str) -> None:
        """Watch a run to its end. The exit code is the run's."""
        self.say(f"run {run}")
        ended = watch(self.api, run, self.outside, self.console, quiet=self.as_json)
        if self.as_json:
            emit(ended)
        click.get_current_context().exit(0 if ended["status"] == "succeeded" else 1)


def typed(pairs: tuple[str, ...], schema: Callable[[], Json]) -> Json:
    """`NAME=VALUE` pairs as values; the JSON Schema of their types is asked for only when there are any."""
    return values.parse(pairs, schema(), lambda path: Path(path).read_text(encoding="utf-8")) if pairs else {}


def emit(thing: Any) -> None:
    """Print a JSON document."""
    click.echo(json.dumps(thing, indent=2, ensure_ascii=False))


@contextlib.contextmanager
def answering(as_json: bool) -> Iterator[None]:
    """With `--json` an error is a document too, so that whoever reads standard output always finds one there."""
    try:
        yield
    except Trouble as trouble:
        if as_json:
            emit(trouble.as_json())
        raise


def connected(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command `--url`, `--key` and `--json`, and a `Session` as its first argument."""

    @click.option(
        "--url", envvar="LOADME_URL", show_envvar=True, metavar="URL", help="The function app's address. [default: the local cloud]"
    )
    @click.option("--key", envvar="LOADME_KEY", show_envvar=True, metavar="KEY", help="Its function key.")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output, and nothing else.")
    @functools.wraps(command)
    def wrapped(url: str | None, key: str | None, as_json: bool, **arguments: Any) -> None:
        outside = click.get_current_context().find_object(Outside) or Outside()
        with answering(as_json), Api(find(url, key, outside), outside.transport) as api:
            command(Session(api=api, outside=outside, console=render.console(), as_json=as_json), **arguments)

    return wrapped
