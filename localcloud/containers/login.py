"""Becomes a command at the terminal that is its standard input: `python -I -S login.py COMMAND...`, standard library only."""

import os
import signal
import sys


def main(*command: str) -> None:
    # A shell has what it starts in the background ignore Ctrl-C, and Python ignores SIGPIPE; what is ignored stays so across an exec.
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    os.login_tty(0)  # a session of its own, which the terminal controls: Ctrl-C reaches it, and the terminal's end ends it
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell: one command is what was asked for
    except OSError as error:
        sys.stderr.write(f'exec: "{command[0]}": {error.strerror}\r\n')
        sys.exit(127)


if __name__ == "__main__":
    main(*sys.argv[1:])
