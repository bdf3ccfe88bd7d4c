"""The commands that change what there is: stop a run, let one go on, answer a step, delete a run, send a message again."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
from rich.text import Text

from loadme.cli import render
from loadme.cli.api import Json
from loadme.cli.errors import Refused, Trouble
from loadme.cli.options import RUN, WATCH
from loadme.cli.session import Session, connected, emit, typed


@click.command()
@RUN
@click.option("--reason", metavar="TEXT", help="Why; shown with the run.")
@click.option("--force", is_flag=True, help="Stop its steps of `finally`, too.")
@connected
def cancel(session: Session, run: str, reason: str | None, force: bool) -> None:
    """Stop a run: nothing more of it is launched, and what runs is removed.

    RUN is an id, or @latest for the newest run. What succeeded before keeps its outputs: `loadme resume` goes on from there. The steps of
    `finally` run all the same, unless there is --force.

    \b
    Examples:
      loadme cancel @latest
      loadme cancel 01jd3k9x2m5q8r7t6v4w --reason "wrong region"
      loadme cancel @latest --force
    """
    found = session.run_id(run)
    answer = session.api.cancel(found, reason, force=force)
    session.show(answer, lambda: Text(f"run {found} is being cancelled\nsee it end with: loadme show {found} --watch"))


@click.command()
@RUN
@click.option("--from", "step", metavar="STEP", help="Run this step again, and all that come after it.  [default: what failed]")
@click.option("-v", "--variable", "--set", "pairs", multiple=True, metavar="NAME=VALUE", help="Change a variable; may be given many times.")
@WATCH
@connected
def resume(session: Session, run: str, step: str | None, pairs: tuple[str, ...], watch: bool) -> None:
    """Let a run that failed or was cancelled go on.

    RUN is an id, or @latest for the newest run. Steps that failed, were cancelled or never ran are run again, the others keep their
    outputs; --from runs a step again that succeeded. The run keeps the definition that it was started with. Values are written as for
    `loadme start`.

    \b
    Examples:
      loadme resume @latest --watch
      loadme resume @latest --from convert
      loadme resume 01jd3k9x2m5q8r7t6v4w --set region=northeurope --set 'days=[1,2]'
    """
    found = session.run_id(run)
    answer = session.api.resume(found, step, typed(pairs, lambda: _types(session, found)))
    if watch:
        session.follow(found)
        return
    origin = f"from {step}" if step else "with what did not succeed"
    session.show(answer, lambda: Text(f"run {found} goes on {origin}\nfollow it with: loadme show {found} --watch"))


@click.command()
@RUN
@click.argument("step")
@click.argument("pairs", metavar="[NAME=VALUE]...", nargs=-1)
@click.option("--by", metavar="NAME", help="Who answers.  [default: whoever is logged in here]")
@connected
def signal(session: Session, run: str, step: str, pairs: tuple[str, ...], by: str | None) -> None:
    """Answer a step that waits for a person.

    RUN is an id, or @latest for the newest run. NAME=VALUE are the step's outputs: a value that is declared as a string is taken as it
    stands, everything else as JSON. An answer that comes before the step waits is kept. The first answer counts.

    \b
    Examples:
      loadme signal @latest approve approved=true
      loadme signal 01jd3k9x2m5q8r7t6v4w approve approved=false 'note=not on a Friday' --by ada
    """
    found = session.run_id(run)
    outputs = typed(pairs, lambda: _answer_schema(session, found, step, pairs))
    status = session.api.signal(found, step, outputs, by or session.outside.user())
    said = "it goes on" if status == "accepted" else "the answer is kept until it waits"
    session.show({"run": found, "step": step, "status": status}, lambda: Text(f"answered {step} of run {found}: {said}"))


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask first.")
@connected
def delete(session: Session, runs: tuple[str, ...], yes: bool) -> None:
    """Delete runs that are over, with their logs and files. There is no way back.

    RUN is an id, or @latest for the newest run. A run that is not over is refused: cancel it first.

    \b
    Examples:
      loadme delete @latest
      loadme delete 01jd3k9x2m5q8r7t6v4w 01jd3k9x2m5q8r7t6v4x --yes
    """
    found = list(dict.fromkeys(session.run_id(run) for run in runs))
    if not yes:
        _confirm(session, found)

    def one(run: str) -> Json:
        status = session.api.delete(run)
        session.say(f"deleted run {run}" if status == "deleted" else f"run {run} is being deleted: there is much of it")
        return {"run": run, "status": status}

    _each(session, "runs", found, one)


@click.command()
@click.argument("messages", metavar="[ID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Send all of them.")
@click.option("--list", "listing", is_flag=True, help="List them and send nothing; so it is without an ID.")
@connected
def replay(session: Session, messages: tuple[str, ...], everything: bool, listing: bool) -> None:
    """Send messages again that could not be handled.

    A message that fails again and again is kept aside, and its run has failed with the reason. Once that is mended, send the message
    again, or `loadme resume` the run.

    \b
    Examples:
      loadme replay                                   what there is
      loadme replay 01jd3k9x2m5q8r7t6v4w-7bf1161d64   send one again
      loadme replay --all
    """
    if bool(messages) + everything + listing > 1:
        raise Trouble("give IDs, --all or --list, one of the three")
    if not messages and not everything:
        kept = list(session.api.poison())
        session.show({"messages": kept}, lambda: render.poison(kept, session.outside.now()))
        return

    def one(message: str) -> Json:
        note = session.api.replay(message)
        session.say(f"sent {message} again" + (f": {note}" if note else ""))
        return {"id": message, "status": "sent"} | ({"note": note} if note else {})

    wanted = list(dict.fromkeys(messages)) or [str(kept["id"]) for kept in session.api.poison()]
    if not wanted:
        session.say("no message is kept: all of them could be handled")
    _each(session, "messages", wanted, one)


COMMANDS = (cancel, resume, signal, delete, replay)


def _types(session: Session, run: str) -> Json:
    """The types of a run's variables: its workflow's, or what its values show when the workflow's file is gone."""
    found = session.api.run(run)
    try:
        return session.api.workflow(found["workflow"]).get("variables") or {}
    except Refused as refused:
        if refused.status != 404:
            raise
    given = found.get("variables") or {}
    return {"properties": {name: {"type": "string"} if isinstance(value, str) else {} for name, value in given.items()}}


def _answer_schema(session: Session, run: str, step: str, pairs: Iterable[str]) -> Json:
    """The types of what the step may be answered with; what it does not declare may be of any type."""
    steps = session.api.run(run).get("steps", ())
    answer = next((one.get("answer") for one in steps if one["name"] == step), None) or {}
    declared = (answer.get("schema") or {}).get("properties") or {}
    return {"properties": {pair.partition("=")[0]: {} for pair in pairs} | declared}


def _confirm(session: Session, runs: list[str]) -> None:
    """Ask whoever sits there. Raises Trouble without a yes."""
    what = f"run {runs[0]} with its logs and files" if len(runs) == 1 else f"these {len(runs)} runs with their logs and files"
    if session.as_json:
        raise Trouble(f"nobody can be asked whether to delete {what}: give --yes")
    listed = "".join(f"  {run}\n" for run in runs) if len(runs) > 1 else ""
    try:
        if click.confirm(f"{listed}Delete {what}?", err=True):
            return
    except click.Abort:
        pass
    raise Trouble("nothing was deleted: answer y, or give --yes")


def _each(session: Session, title: str, names: Iterable[str], one: Callable[[str], Json]) -> None:
    """Do it for each; one that is refused does not keep the others from it. Exit code 2 if any was."""
    done: list[Json] = []
    refused: list[Json] = []
    for name in names:
        try:
            done.append(one(name))
        except Refused as trouble:
            if trouble.passing:  # an outage: the others would not fare better
                raise
            refused.append({"name": name, **trouble.as_json()})
            click.echo(f"loadme: {name}: {trouble.format_message()}", err=True)
    if session.as_json:
        emit({title: done, "refused": refused})
    if refused:
        click.get_current_context().exit(Trouble.exit_code)
