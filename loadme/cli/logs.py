"""Reading a step's log, once or as it grows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

from loadme.cli import words
from loadme.cli.api import Api, Json
from loadme.cli.errors import Interrupted, Refused, Trouble
from loadme.cli.outside import Outside

PAUSE = 1.0  # seconds between two looks
ANCHOR = 400  # characters of what was printed last that are looked for in the next answer


@dataclass(frozen=True, kw_only=True)
class Source:
    """Which log: of the newest attempt at the first item, unless told otherwise."""

    run: str
    step: str
    item: int | None = None
    attempt: int | None = None


def read(api: Api, source: Source, tail: int | None = None) -> str:
    """The log as it is now."""
    step = _step(api, source)
    try:
        return api.log(source.run, source.step, item=source.item, attempt=source.attempt, tail=tail)
    except Refused as refused:
        if refused.status == 404:
            raise Trouble(f"step {source.step} is {step['status']} and has no log{_which(source)}: {refused.message}") from refused
        raise


def follow(api: Api, source: Source, outside: Outside, say: Callable[[str], None], tail: int | None = None) -> str:
    """Pass each new piece of the log to `say` until the step is over; the answer is all that was said."""
    said: list[str] = []
    seen = ""
    try:
        while True:
            ended = _step(api, source)["status"] in words.STEP_ENDED
            text = _text(api, source, None if seen else tail)
            piece = fresh(seen, text)
            if piece:
                said.append(piece)
                say(piece)
            seen = text or seen
            if ended:
                return "".join(said)
            outside.sleep(PAUSE)
    except KeyboardInterrupt:
        raise Interrupted(f"the step goes on; see its log again with: loadme logs {source.run} {source.step}") from None


def fresh(seen: str, text: str) -> str:
    """What of `text` was not in `seen`. A log may have lost its beginning since (Azure keeps 16 KB of a stopped container's)."""
    if text.startswith(seen):
        return text[len(seen) :]
    anchor = seen[-ANCHOR:]
    place = text.rfind(anchor)
    return text if place < 0 else text[place + len(anchor) :]


def _text(api: Api, source: Source, tail: int | None) -> str:
    """The log, empty as long as there is none."""
    try:
        return api.log(source.run, source.step, item=source.item, attempt=source.attempt, tail=tail)
    except Refused as refused:
        if refused.status == 404:
            return ""
        raise


def _step(api: Api, source: Source) -> Json:
    steps: dict[str, Json] = {step["name"]: step for step in api.run(source.run).get("steps", ())}
    if source.step in steps:
        return steps[source.step]
    near = get_close_matches(source.step, steps, n=1)
    hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(steps)}"
    raise Trouble(f"run {source.run} has no step {source.step!r}: {hint}")


def _which(source: Source) -> str:
    parts = [f"{name} {number}" for name, number in (("item", source.item), ("attempt", source.attempt)) if number is not None]
    return f" of {', '.join(parts)}" if parts else ""
