"""One line of an order: is there enough of it in stock, and what does it weigh?"""

from __future__ import annotations

import os

from loadme import step

STOCK = {"R31": (9, 350), "S39": (4, 1200), "B12": (2, 80), "L04": (0, 500)}  # pieces, grams for each


def main() -> None:
    """Give back the line's weight, or fail with a kind of error that the workflow knows what to do about."""
    sku, quantity = os.environ["SKU"], int(os.environ["QUANTITY"])
    pieces, grams = STOCK.get(sku, (0, 0))
    print(f"{quantity} of {sku}: there are {pieces}")
    if sku == "B12" and os.environ.get("LOADME_ATTEMPT") == "1":
        step.fail(f"the stock of {sku} is being counted", kind="stock-is-locked")
    if pieces < quantity:
        step.fail(f"there are {pieces} of {sku}, not {quantity}", kind="not-in-stock")
    step.output(grams=quantity * grams)


if __name__ == "__main__":
    main()
