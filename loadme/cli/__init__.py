"""The command line. `python -m loadme.cli` is the same as `loadme`."""


def main() -> None:
    """Run the command line with the arguments of this process."""
    from loadme.cli.commands import loadme

    loadme(prog_name="loadme")
