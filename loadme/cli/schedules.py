"""The commands about schedules: what is due when, stop one, let it go on; and about the versions of a workflow."""

from __future__ import annotations

from datetime import datetime

import click
from rich.console import Group, RenderableType
from rich.text import Text

from loadme.cli import words
from loadme.cli.api import Json
from loadme.cli.errors import Trouble
from loadme.cli.render import table
from loadme.cli.session import Session, connected

WORKFLOW = click.argument("workflow")
INDEX = click.argument("index", type=click.IntRange(min=0), required=False)


@click.command()
@connected
def schedules(session: Session) -> None:
    """List the schedules of all workflows: when each is due next, what it last started, what it missed.

    The times are in the time zone of this machine, which is named with `next`; a schedule's own stands with it unless it is UTC.

    \b
    Examples:
      loadme schedules
      loadme schedules --json
    """
    listed = session.api.schedules()
    session.show({"schedules": listed}, lambda: _table(listed, session.outside.now()))


@click.command()
@WORKFLOW
@INDEX
@click.option("--reason", metavar="TEXT", help="Why; shown with the schedule.")
@connected
def pause(session: Session, workflow: str, index: int | None, reason: str | None) -> None:
    """Pause a schedule of a workflow: it starts no run until `loadme unpause`.

    INDEX is the schedule's place in the workflow's file, from 0; without it all of the workflow's schedules are paused. A pause survives
    deployments. Runs can still be started with `loadme start`.

    \b
    Examples:
      loadme pause nightly-report
      loadme pause nightly-report 1 --reason "until the move is over"
    """
    done = [session.api.pause(workflow, one, reason) for one in _indexes(session, workflow, index)]
    session.show({"schedules": done}, lambda: _table(done, session.outside.now()))


@click.command()
@WORKFLOW
@INDEX
@connected
def unpause(session: Session, workflow: str, index: int | None) -> None:
    """Let a paused schedule start runs again, from now on: what was due meanwhile is not made up for.

    INDEX is the schedule's place in the workflow's file, from 0; without it all of the workflow's schedules go on.

    \b
    Examples:
      loadme unpause nightly-report
      loadme unpause nightly-report 1
    """
    done = [session.api.unpause(workflow, one) for one in _indexes(session, workflow, index)]
    session.show({"schedules": done}, lambda: _table(done, session.outside.now()))


@click.command()
@WORKFLOW
@connected
def versions(session: Session, workflow: str) -> None:
    """List the definitions that runs of a workflow were started with, the latest first. The next run starts with the one marked.

    \b
    Examples:
      loadme versions nightly-report
    """
    listed = session.api.versions(workflow)
    session.show({"workflow": workflow, "versions": listed}, lambda: _versions(listed, session.outside.now()))


COMMANDS = (schedules, pause, unpause, versions)


def _indexes(session: Session, workflow: str, index: int | None) -> list[int]:
    if index is not None:
        return [index]
    found = [int(one["index"]) for one in session.api.schedules() if one["workflow"] == workflow]
    if not found:
        session.api.workflow(workflow)  # one that does not exist should be told so
        raise Trouble(f"the workflow {workflow} has no schedules")
    return found


def _table(listed: list[Json], now: datetime) -> RenderableType:
    if not listed:
        return Text("no schedules")
    rows = [(one["workflow"], str(one["index"]), _cron(one), _next(one, now), _last(one, now), _missed(one, now)) for one in listed]
    notes = [Text(f"{one['workflow']} {one['index']}: {words.line(one['problem'])}", style="red") for one in listed if one.get("problem")]
    return Group(table("workflow", "index", "schedule", "next", "last", "missed", rows=rows), *notes)


def _cron(one: Json) -> str:
    zone = one.get("timezone") or "UTC"
    return f"{one['cron']}" + ("" if zone == "UTC" else f" {zone}")


def _next(one: Json, now: datetime) -> Text:
    paused = one.get("paused")
    if not paused:
        return Text(words.zoned(one.get("next"), now))
    reason = words.line(paused.get("reason") or "", 60)
    return Text("paused" + (f": {reason}" if reason else ""), style="yellow")


def _last(one: Json, now: datetime) -> str:
    return words.clock((one.get("last") or {}).get("scheduled_at"), now)


def _missed(one: Json, now: datetime) -> str:
    missed = one.get("missed") or {}
    times = missed.get("times") or [None]
    return f"{missed['count']}, the last {words.clock(times[-1], now)}" if missed.get("count") else ""


def _versions(listed: list[Json], now: datetime) -> RenderableType:
    rows = [
        (
            one["digest"][:12],
            words.clock(one["first_seen"], now) or "no run yet",
            str(one["steps"]),
            "← current" if one["is_current"] else "",
        )
        for one in listed
    ]
    return table("version", "first run", "steps", "", rows=rows)
