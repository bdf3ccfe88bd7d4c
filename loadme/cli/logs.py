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
PATIENCE = 15  # looks in a row that may fail: a function app that restarts is no reason to stop
ANCHOR = 400  # characters of what was printed last that are looked for in the next answer


@dataclass(frozen=True, kw_only=True)
class Source:
    """Which log: of the newest attempt at the first item, unless told otherwise."""

    run: str
    step: str
    item: int | None = None
    attempt: int | None = None
    container: str = ""


def read(api: Api, source: Source, tail: int | None = None) -> str:
    """The log as it is now."""
    step = _step(api.run(source.run), source)
    try:
        return api.log(source.run, source.step, item=source.item, attempt=source.attempt, tail=tail, container=source.container)
    except Refused as refused:
        if refused.status == 404:
            raise _no_log(step, source, refused) from refused
        raise


def numbers(api: Api, source: Source) -> dict[str, int | None]:
    """Which item and attempt the log is of: those that were asked for, or those that the function app takes by itself."""
    number = source.item or 0
    if source.attempt is not None:
        return {"item": number, "attempt": source.attempt}
    found = [item for item in api.items(source.run, source.step, number, 1) if item["item"] == number]
    attempts = [one["attempt"] for item in found for one in item["attempts"]]
    return {"item": number, "attempt": max(attempts, default=None)}


def follow(api: Api, source: Source, outside: Outside, say: Callable[[str], None], tail: int | None = None) -> str:
    """Pass each new piece of the log to `say` until the step is over; the answer is all that was said."""
    said: list[str] = []
    seen, failures, is_over = "", 0, False
    try:
        while not is_over:
            try:
                is_over, text = _look(api, source, None if seen else tail)
                failures = 0
            except Trouble as trouble:
                failures += 1
                if not trouble.passing or failures > PATIENCE:
                    raise
                text = ""
            piece = fresh(seen, text) if text else ""
            if piece:
                said.append(piece)
                say(piece)
            seen = text or seen
            if not is_over:
                outside.sleep(PAUSE)
    except KeyboardInterrupt:
        raise Interrupted(f"the step goes on; see its log again with: loadme logs {source.run} {source.step}") from None
    return "".join(said)


def _look(api: Api, source: Source, tail: int | None) -> tuple[bool, str]:
    """Whether the step was over before its log was read, and the log: empty as long as there is none."""
    run = api.run(source.run)
    step = _step(run, source)
    is_over = step["status"] in words.STEP_ENDED or run["status"] in words.ENDED
    try:
        return is_over, api.log(source.run, source.step, item=source.item, attempt=source.attempt, tail=tail, container=source.container)
    except Refused as refused:
        if not is_over and (refused.passing or refused.status == 404):
            return False, ""  # nothing was launched yet, or Azure is just starting the container
        if refused.status == 404:
            raise _no_log(step, source, refused) from refused
        raise


def fresh(seen: str, text: str) -> str:
    """What of `text` was not in `seen`. A log may have lost its beginning since (Azure keeps 16 KB of a stopped container's)."""
    if text.startswith(seen):
        return text[len(seen) :]
    anchor = seen[-ANCHOR:]
    place = text.rfind(anchor)
    return text if place < 0 else text[place + len(anchor) :]


def _step(run: Json, source: Source) -> Json:
    steps: dict[str, Json] = {step["name"]: step for step in run.get("steps", ())}
    if source.step in steps:
        return steps[source.step]
    near = get_close_matches(source.step, steps, n=1)
    hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(steps)}"
    raise Trouble(f"run {source.run} has no step {source.step!r}: {hint}")


def _no_log(step: Json, source: Source, refused: Refused) -> Trouble:
    if step.get("child"):
        return Trouble(f"step {source.step} is a run of its own, whose steps have the logs: loadme show {step['child']}")
    return Trouble(f"step {source.step} is {step['status']} and has no log{_which(source)}: {refused.message.removeprefix('No log: ')}")


def _which(source: Source) -> str:
    parts = [f"{name} {number}" for name, number in (("item", source.item), ("attempt", source.attempt)) if number is not None]
    return f" of {', '.join(parts)}" if parts else ""
