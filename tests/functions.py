"""The functions of the app, as the Functions host finds them."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def functions_of(app: Any) -> tuple[Any, ...]:
    """The app's functions. The programming model lets them be asked for once only."""
    return tuple(app.get_functions())
