"""What ends a command early. Each error shows itself on standard error and knows its exit code.

Trouble            2: the command cannot be carried out; the message says what to do
├── Unreachable    nothing answered at the URL, or not in time
└── Refused        the function app answered with an error
Interrupted        130: Ctrl-C
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, Any

import click


class Trouble(click.ClickException):
    """The command cannot be carried out. `passing` is whether the same request may well work a little later."""

    exit_code = 2
    passing = False

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message, nothing else, where it does not mix with a command's own output."""
        click.echo(f"loadme: {self.format_message()}", file=file, err=True)

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints instead of an answer: `status` is HTTP's, `errors` are the fields that the function app found wrong."""
        return {"error": {"message": self.format_message(), "status": None, "errors": []}}


class Unreachable(Trouble):
    """Nothing answered at the URL, or not in time."""

    passing = True


class Refused(Trouble):
    """The function app answered with an error status."""

    def __init__(self, status: int, message: str, errors: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.errors = tuple(errors)
        self.passing = status == 429 or status >= 500

    def as_json(self) -> dict[str, Any]:
        return {"error": {"message": self.format_message(), "status": self.status, "errors": list(self.errors)}}


class Interrupted(Trouble):
    """The user pressed Ctrl-C."""

    exit_code = 130
