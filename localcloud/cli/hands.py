"""`clock`, `groups` and `reset`: time and states, moved by hand."""

from __future__ import annotations

from typing import Any

import click

from localcloud.cli import values
from localcloud.cli.side import Side, at_side_door, emit, table


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


@click.group(invoke_without_command=True)
@click.pass_context
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def groups(context: click.Context, as_json: bool) -> None:
    """List every container group that there was, or move one by hand.

    \b
    Examples:
      python -m localcloud faults add held        then start a run: its group stays at Creating
      python -m localcloud groups release NAME
      python -m localcloud groups exit NAME --code 3
      python -m localcloud groups exit NAME --oom
    """
    if context.invoked_subcommand is None:
        _show_groups(as_json=as_json)


@at_side_door
def _show_groups(side: Side, as_json: bool) -> None:
    found = side.get("/groups")["groups"]
    if as_json:
        emit(found)
        return
    rows = [(name, one["provisioning_state"] or "gone", one["state"] or "", one["starts"]) for name, one in found.items()]
    click.echo(table([("NAME", "PROVISIONING", "STATE", "STARTS"), *rows]))


@groups.command()
@click.argument("name")
@at_side_door
def release(side: Side, name: str) -> None:
    """Let a group or a deployment go on that is held."""
    side.post(f"/groups/{name}/release")
    click.echo("released")


@groups.command("exit")
@click.argument("name")
@click.option("--code", type=int, default=0, show_default=True, help="The exit code.")
@click.option("--oom", is_flag=True, help="As out of memory, with 137.")
@click.option("--container", metavar="NAME", default="", help="Which one. [default: the first]")
@at_side_door
def exit_container(side: Side, name: str, code: int, oom: bool, container: str) -> None:
    """End a container of the group that runs."""
    side.post(f"/groups/{name}/exit", {"code": code, "oom": oom, "container": container})
    click.echo("ended")


@groups.command()
@click.argument("name")
@click.option("--container", metavar="NAME", default="", help="Which one. [default: the first]")
@at_side_door
def restart(side: Side, name: str, container: str) -> None:
    """Have a container of the group started again."""
    side.post(f"/groups/{name}/restart", {"container": container})
    click.echo("it starts again")


@groups.command()
@click.argument("name")
@click.option("--gone", is_flag=True, help="For good: Azure does not start it again.")
@at_side_door
def evict(side: Side, name: str, gone: bool) -> None:
    """Take the group's machine away, as Azure does with Spot ones."""
    side.post(f"/groups/{name}/evict", {"gone": gone})
    click.echo("evicted")


@click.command()
@at_side_door
def reset(side: Side) -> None:
    """Everything back to the beginning, without a restart: no runs, files, calls, faults or resources but a fresh start's.

    The addresses and the key stay. Shares of Azure Files stay too: they are folders of yours (.localcloud/shares).
    """
    side.post("/reset")
    click.echo("as new")
