"""Runs and steps as short pieces of text. Pure functions."""

from __future__ import annotations

import json
import math
from datetime import datetime
from typing import Any

from loadme.cli.api import Json

ENDED = STEP_ENDED = ("succeeded", "failed", "cancelled", "skipped")
GLYPHS = {"pending": "·", "running": "●", "succeeded": "✓", "failed": "✗", "skipped": "–", "cancelled": "⊘", "waiting": "◌", "queued": "◌"}
NO_NEWS = ("pending", 0, "", "", None, 0)
STYLES = {
    "running": "cyan",
    "succeeded": "green",
    "failed": "red",
    "cancelled": "yellow",
    "waiting": "yellow",
    "queued": "yellow",
} | dict.fromkeys(("pending", "skipped"), "dim")


def moment(text: str | None) -> datetime | None:
    """A time stamp of the API."""
    return datetime.fromisoformat(text) if text else None


def clock(text: str | None, now: datetime) -> str:
    """A time stamp for people, in the time zone of `now`."""
    at = moment(text)
    return at.astimezone(now.tzinfo).strftime("%Y-%m-%d %H:%M:%S") if at else ""


def zoned(text: str | None, now: datetime) -> str:
    """The same with the name of that time zone."""
    at = moment(text)
    return f"{clock(text, now)} {at.astimezone(now.tzinfo).strftime('%Z')}" if at else ""


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


def size(count: int) -> str:
    """`17 bytes`, `4.8 MB`: in thousands, as Azure bills them."""
    amount, unit = float(count), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if round(amount, 1) < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{count} byte{'' if count == 1 else 's'}" if unit == "bytes" else f"{amount:.1f} {unit}"


def files(run: Json) -> str:
    """`3 files, 4.8 MB`; nothing for a run that has none."""
    told = run.get("files") or {}
    count, more = told.get("count") or 0, bool(told.get("more"))
    return f"{'more than ' * more}{count} file{'' if count == 1 else 's'}, {size(told.get('bytes') or 0)}" if count else ""


def whole(seconds: float) -> str:
    """`30 s`, `2 min 03 s`: for what is to come, which nobody knows to a tenth of a second."""
    return f"{math.ceil(seconds)} s" if seconds <= 59 else duration(max(seconds, 60.0))


def soon(text: str | None, now: datetime) -> str:
    """A time to come, as `12:40`, with its day if that is another one; nothing once it has passed."""
    at = moment(text)
    if at is None or at <= now:
        return ""
    local = at.astimezone(now.tzinfo)
    return local.strftime("%H:%M" if local.date() == now.date() else "%Y-%m-%d %H:%M")


def value(thing: Any) -> str:
    """A variable's value: strings as they are, everything else as JSON; `(secret)` for what refers to one."""
    if isinstance(thing, dict) and thing.keys() == {"keyvault"} and str(thing["keyvault"]).startswith("lm-"):
        return "(secret)"
    return clean(thing) if isinstance(thing, str) else json.dumps(thing, ensure_ascii=False)


def shortened(thing: Any, most: int = 400) -> str:
    """A value to be looked at: of a long list or object the beginning, and how many there are."""
    text = value(thing)
    return text if isinstance(thing, str) or len(text) <= most else f"{text[:most]}… ({len(thing)} in all; --json shows them)"


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


def part_of(run: Json) -> str:
    """`step sub of run …`; nothing for a run that was started by itself."""
    parent = run.get("parent")
    return f"step {parent['step']} of run {parent['run']}" if parent else ""


def queue(run: Json) -> str:
    """What a queued run waits for: `waits for run … in the group west, 2 are before it`."""
    told = run.get("concurrency") or {}
    if run["status"] != "queued" or not told:
        return ""
    holder = f"run {told['holder']} in the group" if told.get("holder") else "its turn in the group"
    before = told.get("ahead") or 0
    return f"waits for {holder} {line(told['group'], 60)}" + (f", {before} {'is' if before == 1 else 'are'} before it" if before else "")


def message(step: Json) -> str:
    """What there is to say about a step: its error, or the names of its outputs."""
    error = step.get("error")
    if error:
        return line(error.get("message") or error.get("kind") or "")
    return ", ".join(f"{name}={line(value(thing), 40)}" for name, thing in (step.get("outputs") or {}).items())


def status(step: Json) -> str:
    """The step's status; `waiting` while it waits for its launch, its next attempt, an answer or a time, whatever it did before."""
    is_idle = step["status"] == "running" and step.get("kind") in ("wait", "sleep")
    is_waiting = step["status"] not in STEP_ENDED and (step.get("waiting") or step.get("retry") or is_idle)
    return "waiting" if is_waiting else str(step["status"])


def told(step: Json, now: datetime) -> str:
    """The most that one line can say of a step: what it waits for, how far it is, or how it ended."""
    doing = waiting(step, now) or retry(step, now) or idle(step, now) or progress(step)
    by = f"answered by {line(str(step['answered_by']), 60)}" if step.get("answered_by") else ""
    before = handled(step) if step.get("error") else items(step) or by
    return doing or ": ".join(part for part in (before, message(step)) if part)


def handled(step: Json) -> str:
    """`caught by mend`, or why else a failure is not the run's; nothing for one that nothing took."""
    taken = str(step.get("handled") or "")
    others = {"outputs": "caught, with outputs instead", "continue": "the run goes on"}
    return f"caught by {taken.removeprefix('step:')}" if taken.startswith("step:") else others.get(taken, "")


def waiting(step: Json, now: datetime) -> str:
    """`for quota, probably until 12:40`; nothing for a step that waits for nothing. Older apps answer with a text alone."""
    given = step.get("waiting")
    if not given or step.get("status") in STEP_ENDED:
        return ""
    why, estimate = (given, None) if isinstance(given, str) else (given.get("why") or "", given.get("estimate"))
    until = soon(estimate, now)
    what = "for quota" if why == "quota" else f"for its launch: {line(why)}"
    return what + (f", probably until {until}" if until else "")


def idle(step: Json, now: datetime) -> str:
    """`for an answer from ops@contoso.com, until 12:40`, `until 12:40`, or which run the step is; nothing for a container."""
    if step.get("status") != "running":
        return ""
    until = soon(step.get("ends_at"), now)
    if step.get("kind") == "wait":
        assignee = (step.get("answer") or {}).get("assignee")
        return "for an answer" + (f" from {line(assignee)}" if assignee else "") + (f", until {until}" if until else "")
    if step.get("kind") == "sleep":
        return f"until {until}" if until else ""
    return f"run {step['child']} of {step['workflow']}" if step.get("child") else ""


def items(step: Json) -> str:
    """`40 of 100 items, 2 failed, 10 at work`, at the end `100 items, 2 failed`; nothing for a step that has no items of its own."""
    found = step.get("items")
    if not found:
        return ""
    over, count = sum(found.get(name, 0) for name in ("succeeded", "failed", "skipped")), found.get("count", 0)
    parts = [f"{found[name]} {word}" for name, word in (("failed", "failed"), ("running", "at work")) if found.get(name)]
    of = f"{over} of " if over != count or step.get("status") not in STEP_ENDED else ""
    return ", ".join([f"{of}{count} item{'' if count == 1 else 's'}", *parts])


def failed_items(run: Json) -> list[tuple[str, str]]:
    """Of each step that tolerated failures of its items how many they are, and the command that lists them."""
    found = [(step["name"], step.get("items") or {}) for step in run.get("steps", ()) if step["status"] == "succeeded"]
    return [
        (
            f"{name}: {items['failed']} of {items['count']} items failed, which it tolerates",
            f"loadme items {run['id']} {name} --status failed",
        )
        for name, items in found
        if items.get("failed")
    ]


def answering(step: Json) -> str:
    """`loadme signal RUN approve approved=BOOLEAN [note=STRING]`; nothing for a step that waits for no answer now."""
    answer = step.get("answer")
    if not answer or step.get("status") != "running":
        return ""
    run = str(answer.get("link") or "").removeprefix("/api/runs/").partition("/")[0]
    schema = answer.get("schema") or {}
    required = schema.get("required") or ()
    given = {name: f"{name}={str(of.get('type') or 'value').upper()}" for name, of in (schema.get("properties") or {}).items()}
    return " ".join(["loadme signal", run, step["name"], *(text if name in required else f"[{text}]" for name, text in given.items())])


def retry(step: Json, now: datetime) -> str:
    """`again in 30 s after: exit code 3`; nothing when no other attempt follows. It waits for the last one's container too."""
    given = step.get("retry")
    if not given or step.get("status") in STEP_ENDED:
        return ""
    at = moment(given.get("at"))
    left = (at - now).total_seconds() if at else 0.0
    when = f" in {whole(left)}" if left > 0 else " once the last container is gone"
    where = f", in {given['location']}," if given.get("location") else ""
    kind, _, message = (given.get("why") or "").partition(": ")
    return f"again{when}{where or ','} after: {line(message or kind)}"


def attempts(step: Json) -> str:
    """`2 of 3`; the number alone where Azure's own failures, which do not count, have made it larger, and where there is one try."""
    made, most = step.get("attempts") or 0, step.get("max_attempts") or 0
    return "" if not made or step.get("kind") in ("wait", "sleep") else f"{made} of {most}" if most > 1 and made <= most else str(made)


def change(step: Json, now: datetime) -> str:
    """What a step is doing now, on one line: `split failed in 1.2 s: exit code 3`."""
    words = [step["name"], status(step)]
    if step["status"] in STEP_ENDED and step.get("started_at"):
        words.append(f"in {took(step, now)}")
    if (step.get("attempts") or 1) > 1 or (step.get("retry") and step.get("attempts")):
        words.append(f"(attempt {attempts(step)})")
    more = "; answer with: ".join(part for part in (told(step, now), answering(step)) if part)
    return " ".join(words) + (f": {more}" if more else "")


def changes(before: Json | None, after: Json, now: datetime) -> list[str]:
    """A line for each step that is not as it was; a step that still waits for its turn is no news."""
    old = {step["name"]: _shown(step) for step in (before or {}).get("steps", ())}
    return [change(step, now) for step in after.get("steps", ()) if _shown(step) != old.get(step["name"], NO_NEWS)]


def _shown(step: Json) -> tuple[Any, ...]:
    """What of a step makes a line of its own when it changes; an estimate that moves does not."""
    made = step.get("attempts") or 0
    if step["status"] in STEP_ENDED:
        return step["status"], made if made > 1 else 0, "", "", None, 0
    given = step.get("waiting") or ""
    why = given if isinstance(given, str) else given.get("why")
    again = step.get("retry") or {}
    tried = (again.get("attempt"), again.get("why")) if again else None
    return step["status"], made if made > 1 else 0, progress(step), why, tried, _tenths(step) or step.get("child") or 0


def _tenths(step: Json) -> int:
    """How many tenths of a step's items are over: ten lines for a step of thousands of them."""
    found = step.get("items") or {}
    over = sum(found.get(name, 0) for name in ("succeeded", "failed", "skipped"))
    return int(over * 10 // (found.get("count") or 1))
