"""What several commands take."""

from __future__ import annotations

import click

RUN = click.argument("run", metavar="RUN")
WATCH = click.option("--watch", is_flag=True, help="Follow the run until it is over; exit code 0 if it succeeded, else 1.")
