"""`python -m localcloud`: the Azure that loadme needs, on this machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, with the arguments of this process unless others are given; ends with SystemExit."""
    try:
        # Here and not above: Ctrl-C while the modules are imported must not end in a traceback.
        from localcloud.cli.commands import localcloud

        localcloud(arguments, prog_name="python -m localcloud")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
