"""What all tests have in common."""

from __future__ import annotations

from hypothesis import settings

# The same examples each time, and no test that depends on how fast the machine is.
settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")
