"""The commands, each as thin as it can be."""

from __future__ import annotations

import json
from typing import Any

import click

from localcloud.cli import running
from localcloud.cli.calls import calls
from localcloud.cli.clients import env
from localcloud.cli.clock import clock, reset
from localcloud.cli.errors import Trouble
from localcloud.cli.faults import faults
from localcloud.cli.groups import groups
from localcloud.cli.images import push
from localcloud.cli.options import STATE, options_of_up, settings_of
from localcloud.errors import CloudError
from localcloud.statefile import StateFile

WORDS = "localcloud.words"
NONE_UP = "none is up in this folder"


class Commands(click.Group):
    """The group of all commands: what the cloud's parts raise for the user is one line, and Ctrl-C an exit code."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the words as they are, for who begins another process with them."""
        ctx.meta[WORDS] = tuple(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except CloudError as error:
            raise Trouble(str(error)) from None
        except KeyboardInterrupt:
            ctx.exit(130)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def localcloud() -> None:
    """The Azure that loadme needs, on this machine: storage, identities, ARM, container groups, key vaults and the function app.

    \b
    Examples:
      python -m localcloud up                     start it here, until Ctrl-C
      python -m localcloud up -d                  the same in the background; `down` ends it
      python -m localcloud status                 whether one is up, and where
      python -m localcloud faults add throttled   ARM answers the next call with 429
      python -m localcloud calls --follow         what is called, as it is called
      python -m localcloud clock advance 300      five of Azure's minutes at once

    Each command looks for the cloud of the folder that it is given in (.localcloud/cloud.json).

    Exit codes: 0 all is well, 1 it cannot be done (a line on standard error says why), 2 the command makes no sense, 3 none is up,
    130 Ctrl-C.
    """


localcloud.add_command(env)


@localcloud.command()
@options_of_up
@click.option("-d", "--background", is_flag=True, help="Return as soon as it is ready, and leave it running.")
@click.pass_context
def up(context: click.Context, /, background: bool, **given: Any) -> None:
    """Start a local cloud, say how to use it, and wait for Ctrl-C.

    It is new each time: no runs, no files, another key. With --state FOLDER storage, keys, vaults and what was declared to ARM are those of
    the last start with that folder.

    \b
    Examples:
      python -m localcloud up --workflows ../sales
      python -m localcloud up -d --state ~/sales-cloud
      python -m localcloud up --scale 1 --seed 7  as slow as Azure, with other coincidences
    """
    settings = settings_of(given, running.say)
    if not background:
        running.in_foreground(settings)
        return
    found = running.in_background([word for word in context.meta[WORDS] if word not in {"-d", "--background"}], STATE)
    running.say(f"up at {found['url']} (process {found['pid']}, log: {found['log']})")
    running.say(f"arm       {found['arm']}")
    running.say(f"key       {found['key']}")


@localcloud.command()
def down() -> None:
    """Stop the cloud that is up in this folder, and wait until it is gone."""
    found = StateFile(STATE).read()
    if not found:
        running.say(NONE_UP)
        return
    running.end(int(found["pid"]))
    running.say("stopped")


@localcloud.command()
@click.option("--json", "as_json", is_flag=True, help="Print what the state file says, its key too; null when none is up.")
@click.pass_context
def status(context: click.Context, as_json: bool) -> None:
    """Say whether a cloud is up in this folder, and where; exit code 3 when none is."""
    found = StateFile(STATE).read()
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        running.say(f"up at {found['url']} (process {found['pid']}), ARM at {found.get('arm')}" if found else NONE_UP)
    context.exit(0 if found else 3)


for _command in (faults, calls, clock, groups, reset, push):
    localcloud.add_command(_command)
