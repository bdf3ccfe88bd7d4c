"""The command line. `python -m loadme.cli` is the same as `loadme`."""

import sys


def main() -> None:
    """Run the command line with the arguments of this process."""
    try:
        # Here and not above: Ctrl-C while half a second of modules is imported must not end in a traceback.
        from loadme.cli.commands import loadme

        loadme(prog_name="loadme")
    except KeyboardInterrupt:
        sys.exit(130)
