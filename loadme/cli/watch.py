"""Following a run until it is over: a live table on a terminal, a line for each change anywhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import click
from rich.console import Console, Group
from rich.live import Live

from loadme.cli import render, words
from loadme.cli.api import Api, Json
from loadme.cli.errors import Interrupted, Trouble
from loadme.cli.outside import Outside

FASTEST, SLOWEST = 0.5, 2.0  # seconds between two looks
PATIENCE = 15  # looks in a row that may fail, about half a minute: a function app that restarts is no reason to stop


def states(api: Api, run_id: str, outside: Outside) -> Iterator[Json]:
    """The run each time that it has changed; the last one is over."""
    etag, pause, failures = "", FASTEST, 0
    last: Json | None = None
    while True:
        run: Json | None = None
        try:
            run, etag = api.run_if_changed(run_id, etag)
            failures = 0
        except Trouble as trouble:
            failures += 1
            if not trouble.passing or failures > PATIENCE:
                raise
        if run is not None and run != last:
            last, pause = run, FASTEST
            yield run
            if run["status"] in words.ENDED:
                return
        outside.sleep(pause)
        pause = min(pause * 1.25, SLOWEST)


def watch(api: Api, run_id: str, outside: Outside, console: Console, *, quiet: bool = False) -> Json:
    """Show the run until it is over and answer its last state. `quiet` leaves standard output alone (lines go to standard error)."""
    try:
        if quiet:
            return _lines(api, run_id, outside, lambda text: click.echo(text, err=True))
        live = console.is_terminal
        run = _live(api, run_id, outside, console) if live else _lines(api, run_id, outside, click.echo)
    except KeyboardInterrupt:
        raise Interrupted(f"the run goes on; look at it again with: loadme show {run_id} --watch") from None
    if not live:  # the table's last state says how it went
        console.print(render.head(run, outside.now()))
    console.print(render.ending(run))
    return run


def _lines(api: Api, run_id: str, outside: Outside, say: Callable[[str], None]) -> Json:
    before: Json | None = None
    for run in states(api, run_id, outside):
        now = outside.now()
        for text in words.changes(before, run, now):
            say(f"{now:%H:%M:%S} {text}")
        before = run
    if before is None:
        raise AssertionError("states() yields at least the run's end")
    return before


def _live(api: Api, run_id: str, outside: Outside, console: Console) -> Json:
    run: Json = {}

    def view() -> Group:
        now = outside.now()
        return Group(render.head(run, now), render.steps(run, now)) if run else Group("…")

    # It repaints by itself, so that the durations of running steps move between two looks.
    with Live(get_renderable=view, console=console, refresh_per_second=4, transient=False) as live:
        for state in states(api, run_id, outside):
            run = state
            live.refresh()
    return run
