"""`faults`: what is to go wrong."""

from __future__ import annotations

from typing import Any

import click

from localcloud.cli import values
from localcloud.cli.side import Side, at_side_door, emit, table

SHOWN = ("service", "method", "path", "route", "by", "location", "probability", "status", "delay", "lost", "late", "evict", "slow", "hold")
KEYS = (
    click.option("--service", metavar="NAME", help="arm, vault, identity, functions or storage. [default: arm]"),
    click.option("--method", metavar="REGEX", help="The whole method, such as PUT|DELETE."),
    click.option("--path", metavar="REGEX", help="Anywhere in the path."),
    click.option("--route", metavar="TEMPLATE", help="How the path ends, such as containerGroups/{name}."),
    click.option("--by", metavar="WHO", help="client, deployment or registry."),
    click.option("--location", metavar="REGION", help="Only what is created there."),
    click.option("--priority", metavar="PRIORITY", help="Only groups with it: Regular or Spot."),
    click.option("--count", type=int, metavar="N", help="How many calls are hit. [default: 1; all, with a probability]"),
    click.option("--skip", type=int, metavar="N", help="How many pass before."),
    click.option("--probability", type=float, metavar="P", help="Of each call to be hit, from 0 to 1."),
    click.option("--seed", type=int, metavar="N", help="Which calls these are. [default: that of up]"),
    click.option("--lasts", type=float, metavar="SECONDS", help="Of Azure's time, until it ends by itself."),
    click.option("--status", type=int, metavar="STATUS", help="Answer with this error instead of acting."),
    click.option("--code", metavar="CODE", help="The error's code."),
    click.option("--message", metavar="TEXT", help="Its message."),
    click.option("--header", "headers", type=values.Setting(), multiple=True, metavar="NAME=VALUE", help="Its header; may be given often."),
    click.option("--delay", type=float, metavar="SECONDS", help="Answer so many real seconds late."),
    click.option("--lost", is_flag=True, default=None, help="Act, and answer 504."),
    click.option("--late", is_flag=True, default=None, help="Accept a container group that then fails."),
    click.option("--evict", type=float, metavar="SECONDS", help="Take the group away so long after its start."),
    click.option("--gone", is_flag=True, default=None, help="And do not start it again."),
    click.option("--slow", type=float, metavar="SECONDS", help="The group comes up so much later."),
    click.option("--hold", metavar="STATE", help="Keep a group at Pending or Creating, a deployment at Accepted or Running."),
)


@click.group(invoke_without_command=True)
@click.pass_context
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def faults(context: click.Context, as_json: bool) -> None:
    """List the faults still to come, or script some.

    \b
    Examples:
      python -m localcloud faults add no-capacity --location westeurope --count 2
      python -m localcloud faults add --method GET --route 'containerGroups/{name}' --status 500 --probability 0.2
      python -m localcloud faults known           those that have a name
      python -m localcloud faults clear
    """
    if context.invoked_subcommand is None:
        _list(as_json=as_json)


@at_side_door
def _list(side: Side, as_json: bool) -> None:
    found = side.get("/faults")["faults"]
    if as_json:
        emit(found)
    elif not found:
        click.echo("no fault is to come")
    else:
        click.echo(table([("ID", "HITS", "LEFT", "WHAT"), *((one["id"], one["hits"], _left(one), _what(one)) for one in found)]))


@faults.command()
@click.argument("name", required=False, default="")
@at_side_door
def add(side: Side, name: str, **given: Any) -> None:
    """Script a fault: a ready-made one by its NAME, or by what it does; options change a ready-made one."""
    headers = dict(given.pop("headers"))
    keys = {key: value for key, value in given.items() if value is not None} | ({"headers": headers} if headers else {})
    answer = side.post("/faults", {**({"name": name} if name else {}), **keys})
    click.echo(f"fault {answer['id']}")


for _option in KEYS:
    add = _option(add)


@faults.command()
@at_side_door
def known(side: Side) -> None:
    """List the ready-made faults and what they do."""
    click.echo(table([("NAME", "WHAT"), *side.get("/")["faults"].items()]))


@faults.command()
@click.argument("identifier", metavar="[ID]", required=False)
@at_side_door
def clear(side: Side, identifier: str | None) -> None:
    """Drop all faults, or the one with this id."""
    side.delete("/faults", **({"id": identifier} if identifier else {}))
    click.echo("dropped")


def _left(fault: dict[str, Any]) -> str:
    return "all" if fault["count"] is None else str(fault["count"])


def _what(fault: dict[str, Any]) -> str:
    """Its name, and which keys are not as they would be."""
    usual = {"service": "arm", "method": ".*", "path": ".*", "probability": 1.0}
    keys = [f"{key}={fault[key]}" for key in SHOWN if fault[key] and fault[key] != usual.get(key)]
    return " ".join([*([fault["name"]] if fault["name"] else []), *keys])
