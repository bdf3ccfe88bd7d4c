"""The command that lists the items of a step."""

from __future__ import annotations

from datetime import datetime
from itertools import islice

import click
from rich.console import Group, RenderableType
from rich.text import Text

from loadme.cli import words
from loadme.cli.api import Json
from loadme.cli.options import RUN
from loadme.cli.render import status as shown_status
from loadme.cli.render import table
from loadme.cli.session import Session, connected

STATUSES = ("running", "waiting", "succeeded", "failed", "timed_out", "cancelled", "skipped")


@click.command()
@RUN
@click.argument("step")
@click.option("--status", type=click.Choice(STATUSES), help="Only items in this state.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many.")
@click.option("--all", "everything", is_flag=True, help="All there are, whatever --limit says.")
@connected
def items(session: Session, run: str, step: str, status: str | None, limit: int, everything: bool) -> None:
    """List the items of a step that have begun: of a for_each step many, of any other step one.

    RUN is an id, or @latest for the newest run. An item's log: `loadme logs RUN STEP --item N`.

    \b
    Examples:
      loadme items @latest convert
      loadme items @latest convert --status failed --all
    """
    found = session.api.every_item(session.run_id(run), step, status)
    listed = list(found if everything else islice(found, limit + 1))
    more = not everything and len(listed) > limit
    shown = listed[:limit] if more else listed
    session.show({"items": shown, "more": more}, lambda: _table(shown, more, session.outside.now()))


def _table(listed: list[Json], more: bool, now: datetime) -> RenderableType:
    rows = [(str(one["item"]), shown_status(one["status"]), _took(one, now), str(len(one["attempts"])), _told(one)) for one in listed]
    shown = table("item", "status", "took", "attempts", "", rows=rows) if rows else Text("no items")
    return Group(shown, Text("there are more: give --all", style="dim")) if more else shown


def _took(item: Json, now: datetime) -> str:
    """From the first attempt's launch to the last one's end."""
    tried = item["attempts"]
    return words.took({"launched_at": tried[0]["launched_at"], "ended_at": tried[-1]["ended_at"]}, now, "launched_at") if tried else ""


def _told(item: Json) -> str:
    child = item["attempts"][-1].get("child") if item["attempts"] else None
    return ": ".join(part for part in (f"run {child}" if child else "", words.message(item)) if part)
