"""Too much of an order is missing: what was taken for it goes back."""

from __future__ import annotations

import json
import os

from loadme import step


def main() -> None:
    """Give back what was missing."""
    missing = json.loads(os.environ["MISSING"])
    print(f"order {step.variable('order')} waits for {', '.join(missing)}")
    step.output(missing=missing)


if __name__ == "__main__":
    main()
