"""The commands, each as thin as it can be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import click
from rich.text import Text

from loadme import __version__
from loadme.cli import files, items, mending, render, schedules, values, words
from loadme.cli import logs as step_logs
from loadme.cli.errors import Interrupted
from loadme.cli.options import RUN, WATCH
from loadme.cli.session import Session, answering, connected, emit, typed


class Commands(click.Group):
    """The group of all commands; Ctrl-C is an exit code of its own, not a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted("stopped") from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="loadme")
def loadme() -> None:
    """Run containers as the steps of a workflow on Azure, or on this machine.

    \b
    Examples:
      loadme validate                             check the files in workflows/
      loadme start hello --watch                  start a run and follow it
      loadme start hello -v who=Ada               with a variable
      loadme runs --status failed                 what went wrong lately
      loadme show @latest                         the newest run: steps, outputs, error
      loadme logs @latest greet --follow          a step's log as it grows
      loadme resume @latest --watch               go on from what failed

    Without --url the commands talk to the local cloud of this checkout (`make cloud`). For a function app on Azure,
    set LOADME_URL and LOADME_KEY, or give --url and --key.

    With --json standard output is always one JSON document; what went wrong is {"error": {"message", "status", "errors"}} there,
    and text on standard error.

    Exit codes: 0 all is well, 1 the run failed or a file is broken, 2 the command cannot be carried out, 130 Ctrl-C.
    """


@loadme.command()
@click.argument("paths", nargs=-1, metavar="[PATH|WORKFLOW]...", type=click.Path(path_type=Path))
@click.option(
    "--template", "templates", metavar="[SPEC=]FILE", multiple=True, help="Check that the steps fit this ARM template as well (see below)."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output, and nothing else.")
@click.pass_context
def validate(context: click.Context, paths: tuple[Path, ...], templates: tuple[str, ...], as_json: bool) -> None:
    """Check workflow files and say all that is wrong.

    Takes files, folders of them, and names of workflows; the folder workflows/ of this checkout if none is named. Needs no
    function app. An images.yaml beside the files is checked too; images that it does not know are warnings.

    --template FILE is the template of the app's own template spec, --template SPEC=FILE of the one of that name, which steps name in
    `template`: a step that asks for what its template has no parameter for is an error then.

    \b
    Examples:
      loadme validate                             the folder workflows/
      loadme validate hello                       one workflow of it
      loadme validate nightly.yaml other/         a file and a folder
      loadme validate --template templates/container-group.json
    """
    from loadme.cli import validating  # the expression language is loaded only for this

    with answering(as_json):
        report = validating.validate(paths, templates)
    if as_json:
        emit(report)
    else:
        click.echo("\n".join(validating.lines(report)))
    context.exit(1 if report["broken"] else 0)


@loadme.command()
def schema() -> None:
    """Print the JSON Schema of workflow files, for editors.

    With it an editor completes keys, says what they mean, and marks what is wrong while it is typed. Steps that are named and
    expressions only `loadme validate` looks at.

    \b
    Examples:
      loadme schema > workflow.schema.json
      # yaml-language-server: $schema=workflow.schema.json     the first line of a workflow file
    """
    from loadme.definitions import schema as made  # the types are looked at only for this

    click.echo(made.text(), nl=False)


@loadme.command()
@connected
def workflows(session: Session) -> None:
    """List the workflows, and the files that are broken."""
    answer = session.api.workflows()
    session.show(answer, lambda: render.workflows(answer))


@loadme.command(context_settings={"allow_extra_args": True})
@click.argument("workflow")
@click.option("-v", "--variable", "pairs", multiple=True, metavar="NAME=VALUE", help="A variable; may be given many times.")
@click.option(
    "--variables", "file", type=click.File(encoding="utf-8"), metavar="FILE", help="A JSON object of variables; - is standard input."
)
@click.option("--idempotency-key", metavar="KEY", help="The same key and variables again start nothing: the first run is answered.")
@WATCH
@connected
def start(session: Session, workflow: str, pairs: tuple[str, ...], file: TextIO | None, idempotency_key: str | None, watch: bool) -> None:
    """Start a run of a workflow.

    Values are read as the workflow declares them: a string as it stands, everything else as JSON. NAME=@FILE reads the value
    from a file; write @@ for a value that begins with an @. What -v says wins over --variables.

    \b
    Examples:
      loadme start hello --watch
      loadme start report -v region=westeurope -v 'days=[1,2,3]' -v query=@query.sql
      echo '{"region": "westeurope"}' | loadme start report --variables -
      loadme start report --idempotency-key 2026-11-22 --json
    """
    values.check_no_more(click.get_current_context().args)
    given = values.from_file(file.read(), file.name) if file else {}
    given |= typed(pairs, lambda: session.api.workflow(workflow).get("variables") or {})
    run = session.api.start(workflow, given, idempotency_key)
    if watch:
        session.follow(run["id"])
        return
    session.show(run, lambda: Text(f"started run {run['id']} of {workflow}\nfollow it with: loadme show {run['id']} --watch"))


@loadme.command()
@click.option("--workflow", metavar="NAME", help="Only runs of this workflow.")
@click.option("--status", type=click.Choice(["queued", "running", *words.ENDED]), help="Only runs in this state.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many.")
@click.option("--all", "everything", is_flag=True, help="All there are, whatever --limit says.")
@connected
def runs(session: Session, workflow: str | None, status: str | None, limit: int, everything: bool) -> None:
    """List runs, the newest first."""
    listed = list(session.api.runs(workflow=workflow, status=status, limit=None if everything else limit))
    if workflow and not listed:
        session.api.workflow(workflow)  # one that does not exist has no runs either, and should be told so
    session.show({"runs": listed}, lambda: render.runs(listed, session.outside.now()))


@loadme.command()
@RUN
@WATCH
@connected
def show(session: Session, run: str, watch: bool) -> None:
    """Show a run: variables, steps, outputs, error.

    RUN is an id, or @latest for the newest run that is not a step of another one.

    \b
    Examples:
      loadme show @latest --watch
      loadme show 01jd3k9x2m5q8r7t6v4w --json
    """
    if watch:
        session.follow(session.run_id(run))
        return
    found = session.api.run(session.run_id(run))
    session.show(found, lambda: render.whole(found, session.outside.now()))


@loadme.command()
@RUN
@click.argument("step")
@click.option("--tail", type=click.IntRange(min=1), metavar="N", help="Only the last N lines.")
@click.option("--item", type=click.IntRange(min=0), metavar="N", help="Which item of the step.  [default: the first]")
@click.option("--attempt", type=click.IntRange(min=1), metavar="N", help="Which attempt at it.  [default: the newest]")
@click.option("--container", default="", metavar="NAME", help="Which of its init containers or sidecars.  [default: its own container]")
@click.option("--follow", is_flag=True, help="Go on as the log grows, until the step is over.")
@connected
def logs(
    session: Session, run: str, step: str, tail: int | None, item: int | None, attempt: int | None, container: str, follow: bool
) -> None:
    """Print a step's log: what its container wrote.

    It comes live while the container runs, from the archive afterwards.

    \b
    Examples:
      loadme logs @latest convert
      loadme logs @latest convert --tail 20 --follow
    """
    source = step_logs.Source(run=session.run_id(run), step=step, item=item, attempt=attempt, container=container)
    if follow:
        text = step_logs.follow(session.api, source, session.outside, _printer(session.as_json), tail)
    else:
        text = step_logs.read(session.api, source, tail)
        _printer(session.as_json)(text)
    if session.as_json:
        emit({"run": source.run, "step": step, **step_logs.numbers(session.api, source), "log": text})


def _printer(as_json: bool) -> Callable[[str], None]:
    """What prints a piece of a log, or keeps it back for the one JSON document at the end."""

    def say(text: str) -> None:
        if not as_json:
            click.echo(text, nl=False)

    return say


for _command in (files.files, items.items, *mending.COMMANDS, *schedules.COMMANDS):
    loadme.add_command(_command)
