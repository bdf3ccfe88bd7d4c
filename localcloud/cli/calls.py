"""`calls`: what was called."""

from __future__ import annotations

from typing import Any

import click

from localcloud.cli.side import Side, at_side_door, emit, table

PATIENCE = 20  # seconds of one wait for more calls
SHOWN = 50


@click.group(invoke_without_command=True)
@click.pass_context
@click.option("--service", metavar="NAME", help="arm, vault, identity, functions or storage. [default: all]")
@click.option("--method", metavar="REGEX", help="The whole method.")
@click.option("--path", metavar="REGEX", help="Anywhere in the path.")
@click.option("--route", metavar="TEMPLATE", help="How the path ends, such as containerGroups/{name}.")
@click.option("--status", metavar="REGEX", help="The status of the answer, such as 4..")
@click.option("--who", metavar="NAME", help="The identity that made the call.")
@click.option("--limit", type=click.IntRange(min=1), default=SHOWN, show_default=True, metavar="N", help="The last so many.")
@click.option("--follow", is_flag=True, help="Go on printing calls as they are made, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with the shapes of bodies.")
def calls(context: click.Context, /, limit: int, follow: bool, as_json: bool, **asked: Any) -> None:
    """List the calls that the cloud's services got, the last ones last.

    \b
    Examples:
      python -m localcloud calls --method PUT --route 'containerGroups/{name}'
      python -m localcloud calls --status '[45]..' --follow
      python -m localcloud calls clear
    """
    if context.invoked_subcommand is None:
        _show(limit=limit, follow=follow, as_json=as_json, asked=asked)


@at_side_door
def _show(side: Side, limit: int, follow: bool, as_json: bool, asked: dict[str, Any]) -> None:
    answer = side.get("/calls", **asked)
    _print(answer["calls"][-limit:], as_json)
    while follow:
        answer = side.get("/calls", **{**asked, "since": answer["last"], "wait": PATIENCE})
        _print(answer["calls"], as_json)


def _print(found: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        emit(found)
    elif found:
        click.echo(table([_row(call) for call in found]))


def _row(call: dict[str, Any]) -> tuple[object, ...]:
    path = f"{call['path']}  (fault {call['fault']})" if call["fault"] else call["path"]
    return (
        call["number"],
        call["time"][11:23],
        call["service"],
        call["who"] or call["by"],
        call["status"],
        call["method"],
        path,
    )


@calls.command()
@at_side_door
def clear(side: Side) -> None:
    """Forget the calls so far."""
    side.delete("/calls")
    click.echo("forgotten")
