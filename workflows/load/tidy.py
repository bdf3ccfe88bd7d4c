"""Runs at the end, however that was: removes what the branches have left."""

from __future__ import annotations

from loadme import step


def main() -> None:
    """Delete the rows."""
    for name in step.files.list():
        step.files.delete(name)
        print(f"removed {name}")


if __name__ == "__main__":
    main()
