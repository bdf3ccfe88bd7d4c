"""The command that lists a run's files."""

from __future__ import annotations

from itertools import islice

import click

from loadme.cli import render
from loadme.cli.options import RUN
from loadme.cli.session import Session, connected


@click.command()
@RUN
@click.argument("prefix", metavar="[BEGINNING]", default="")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="How many.")
@click.option("--all", "everything", is_flag=True, help="All there are, whatever --limit says.")
@connected
def files(session: Session, run: str, prefix: str, limit: int, everything: bool) -> None:
    """List the files that the steps of a run have put into its folder.

    RUN is an id, or @latest for the newest run. With BEGINNING only the files whose names begin so.

    \b
    Examples:
      loadme files @latest
      loadme files @latest parts/ --all
    """
    found = session.api.files(session.run_id(run), prefix)
    listed = list(found if everything else islice(found, limit + 1))
    more = not everything and len(listed) > limit
    shown = listed[:limit] if more else listed
    session.show({"files": shown, "more": more}, lambda: render.files(shown, more, session.outside.now()))
