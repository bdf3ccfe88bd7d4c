"""What ends a command early. Each error shows itself as one line on standard error and knows its exit code."""

from __future__ import annotations

from typing import IO, Any

import click


class Trouble(click.ClickException):
    """The command cannot be carried out; the message says what to do."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message where it does not mix with a command's own output."""
        click.echo(f"localcloud: {self.format_message()}", file=file, err=True)


class NotUp(Trouble):
    """No local cloud is up where the command looks for one."""

    exit_code = 3
