"""Text that can be sent on."""

from __future__ import annotations

import json
from typing import Any


def check_text(body: Any) -> None:
    """Raises ValueError for a text with half a surrogate pair, which JSON's escapes can write and UTF-8 cannot."""
    try:
        json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("The text has a surrogate without its other half.") from None
