"""`clock`: time, moved by hand; and `reset`, back to its beginning."""

from __future__ import annotations

from typing import Any

import click

from localcloud.cli import values
from localcloud.cli.side import Side, at_side_door, emit


@click.group(invoke_without_command=True)
@click.pass_context
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def clock(context: click.Context, as_json: bool) -> None:
    """Show the cloud's clock, or change it.

    It moves what Azure does by itself: provisioning, pulls, deployments, the lives of tokens. What really runs does not follow it: the
    processes of containers, the function app with its time-outs and timers, and the visibility of messages in queues.

    \b
    Examples:
      python -m localcloud clock pause
      python -m localcloud clock advance next     to the next thing that Azure would do
      python -m localcloud clock advance 3600
      python -m localcloud clock resume
    """
    if context.invoked_subcommand is None:
        _show_clock(as_json=as_json)


@at_side_door
def _show_clock(side: Side, as_json: bool) -> None:
    _print_clock(side.get("/clock"), as_json=as_json)


def _print_clock(found: dict[str, Any], as_json: bool = False) -> None:
    if as_json:
        emit(found)
        return
    state = "paused" if found["paused"] else f"scale {found['scale']:g}"
    due = "nothing is due" if found["next"] is None else f"{found['timers']} to come, the next in {found['next']:.1f} s"
    click.echo(f"{found['now'][:19]}Z, {state}, {round(found['ahead']):+d} s to the real time; {due}")


@clock.command()
@at_side_door
def pause(side: Side) -> None:
    """Let it stand still."""
    _print_clock(side.post("/clock", {"pause": True}))


@clock.command()
@at_side_door
def resume(side: Side) -> None:
    """Let it go on."""
    _print_clock(side.post("/clock", {"pause": False}))


@clock.command()
@click.argument("by", metavar="SECONDS|next")
@at_side_door
def advance(side: Side, by: str) -> None:
    """Let so many of Azure's seconds pass at once, or as many as it takes until something happens."""
    _print_clock(side.post("/clock", {"advance": by}))


@clock.command()
@click.argument("factor", type=values.Scale())
@at_side_door
def scale(side: Side, factor: float) -> None:
    """Set how long Azure's waits take; 1 is as on Azure."""
    _print_clock(side.post("/clock", {"scale": factor}))


@click.command()
@at_side_door
def reset(side: Side) -> None:
    """Everything back to the beginning, without a restart: no runs, files, calls, faults or resources but a fresh start's.

    The addresses and the key stay. Shares of Azure Files stay too: they are folders of yours (.localcloud/shares).
    """
    side.post("/reset")
    click.echo("as new")
