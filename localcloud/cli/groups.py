"""`groups`: container groups, moved by hand from state to state."""

from __future__ import annotations

from urllib.parse import quote

import click

from localcloud.cli.side import Side, at_side_door, emit, table


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
    side.post(_path(name, "release"))
    click.echo("released")


@groups.command("exit")
@click.argument("name")
@click.option("--code", type=int, default=0, show_default=True, help="The exit code.")
@click.option("--oom", is_flag=True, help="As out of memory, with 137.")
@click.option("--container", metavar="NAME", default="", help="Which one. [default: the first]")
@at_side_door
def exit_container(side: Side, name: str, code: int, oom: bool, container: str) -> None:
    """End a container of the group that runs."""
    side.post(_path(name, "exit"), {"code": code, "oom": oom, "container": container})
    click.echo("ended")


@groups.command()
@click.argument("name")
@click.option("--container", metavar="NAME", default="", help="Which one. [default: the first]")
@at_side_door
def restart(side: Side, name: str, container: str) -> None:
    """Have a container of the group started again."""
    side.post(_path(name, "restart"), {"container": container})
    click.echo("it starts again")


@groups.command()
@click.argument("name")
@click.option("--gone", is_flag=True, help="For good: Azure does not start it again.")
@at_side_door
def evict(side: Side, name: str, gone: bool) -> None:
    """Take the group's machine away, as Azure does with Spot ones."""
    side.post(_path(name, "evict"), {"gone": gone})
    click.echo("evicted")


def _path(name: str, action: str) -> str:
    return f"/groups/{quote(name, safe='')}/{action}"
