"""The kinds of error: what a retry rule may name, what is charged to whom, and what the work may not say of itself."""

from __future__ import annotations

NAMED = ("failed", "exit_code", "timed_out", "heartbeat", "image", "capacity", "infrastructure", "outputs")
"""What `on` may name, besides kinds of the work's own."""

PLATFORM = ("infrastructure", "capacity", "quota")
"""What Azure does to an attempt: it spends no attempt of the work's."""

HOPELESS = ("refused", "expression", "cancelled", "poison")
"""What another attempt cannot better."""

NOT_SAID = ("timed_out", "heartbeat", "image", "outputs")
"""What the work itself did not report, so that `on: [failed]` does not mean it."""

FOUND = ("timed_out", "heartbeat", "image", *PLATFORM, *HOPELESS)
"""What the work may not say of itself: these are for loadme to find."""

CAUGHT = (*NAMED, "refused", "expression")
"""What `on` of a catch may name: also what another attempt cannot better."""
