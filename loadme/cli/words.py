"""Runs and steps as short pieces of text. Pure functions."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from loadme.cli.api import Json

ENDED = ("succeeded", "failed", "cancelled")
STEP_ENDED = (*ENDED, "skipped")
GLYPHS = {"pending": "·", "running": "●", "succeeded": "✓", "failed": "✗", "skipped": "–", "cancelled": "⊘"}
STYLES = {"pending": "dim", "running": "cyan", "succeeded": "green", "failed": "red", "skipped": "dim", "cancelled": "yellow"}


def moment(text: str | None) -> datetime | None:
    """A time stamp of the API."""
    return datetime.fromisoformat(text) if text else None


def clock(text: str | None, now: datetime) -> str:
    """A time stamp for people, in the time zone of `now`."""
    at = moment(text)
    return at.astimezone(now.tzinfo).strftime("%Y-%m-%d %H:%M:%S") if at else ""


def took(thing: Json, now: datetime, since: str = "started_at") -> str:
    """How long a run or step took, or has been running."""
    start, end = moment(thing.get(since)), moment(thing.get("ended_at"))
    return duration(((end or now) - start).total_seconds()) if start else ""


def duration(seconds: float) -> str:
    """`0.4 s`, `12.3 s`, `2 min 03 s`, `1 h 02 min`. The clocks of two machines differ: never less than nothing."""
    seconds = max(seconds, 0.0)
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def value(thing: Any) -> str:
    """A variable's value: strings as they are, everything else as JSON."""
    return clean(thing) if isinstance(thing, str) else json.dumps(thing, ensure_ascii=False)


def clean(text: str) -> str:
    """Text from a container without what would steer the terminal."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "�" for letter in text)


def line(text: str, most: int = 200) -> str:
    """The first line of a text, no longer than a message in a table should be."""
    first = clean(text).strip().partition("\n")[0]
    return first if len(first) <= most else first[: most - 1] + "…"


def progress(step: Json) -> str:
    """`40 % reading`; nothing once the step has ended."""
    told = step.get("progress")
    if not told or step.get("status") != "running":
        return ""
    fraction = told.get("fraction")
    percent = f"{fraction:.0%}".replace("%", " %") if fraction is not None else ""
    return f"{percent} {line(told.get('text') or '')}".strip()


def message(step: Json) -> str:
    """What there is to say about a step: its error, or the names of its outputs."""
    error = step.get("error")
    if error:
        return line(error.get("message") or error.get("kind") or "")
    return ", ".join(f"{name}={line(value(thing), 40)}" for name, thing in (step.get("outputs") or {}).items())


def change(step: Json, now: datetime) -> str:
    """What a step is doing now, on one line: `split failed in 1.2 s: exit code 3`."""
    words = [step["name"], step["status"]]
    if step["status"] in STEP_ENDED and step.get("started_at"):
        words.append(f"in {took(step, now)}")
    if (step.get("attempts") or 1) > 1:
        words.append(f"(attempt {step['attempts']})")
    told = progress(step) or message(step)
    return " ".join(words) + (f": {told}" if told else "")


def changes(before: Json | None, after: Json, now: datetime) -> list[str]:
    """A line for each step that is not as it was; a step that still waits for its turn is no news."""
    old = {step["name"]: _shown(step) for step in (before or {}).get("steps", ())}
    return [change(step, now) for step in after.get("steps", ()) if _shown(step) != old.get(step["name"], ("pending", 0, ""))]


def _shown(step: Json) -> tuple[str, int, str]:
    attempts = step.get("attempts") or 0
    return step["status"], attempts if attempts > 1 else 0, progress(step)
