"""What a workflow must keep to about its attempts: retries, heartbeats, locations and template specs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from loadme.definitions import durations
from loadme.definitions.checks import steps_at
from loadme.definitions.definition import Defaults, Retry, Step, Template, Workflow
from loadme.definitions.expressions import has_expression
from loadme.definitions.kinds import HOPELESS, NAMED
from loadme.definitions.problems import Problem
from loadme.definitions.template_names import KNOWN

MOST_ATTEMPTS, MOST_TRIES_OF_AZURE, LARGEST_FACTOR = 100, 1000, 100.0
MOST_KINDS, MOST_LOCATIONS, MOST_PARAMETERS = 20, 10, 256
SHORTEST_HEARTBEAT = 10.0  # seconds; a cold start of the function app alone can take as long

# What other tools call these kinds; a letter too many or too few is found without it.
_OTHER_WORDS = {"timeout": "timed_out", "error": "failed", "failure": "failed", "exit": "exit_code", "pull": "image"}
_ALIKE = 0.8
_NO_BETTER = "is never tried again: another attempt would end the same way"
_HOPELESS_WORDS = {
    "refused": f"`refused` {_NO_BETTER}",
    "expression": f"`expression` {_NO_BETTER}",
    "cancelled": "`cancelled` is what somebody wants: nothing follows from it",
    "poison": "`poison` ends the run at once, and nothing follows from it but `loadme replay`",
}
_KIND = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_LOCATION = re.compile(r"[a-z][a-z0-9]{1,49}")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
_VERSION = re.compile(
    r"/subscriptions/[^/\s]+/resourceGroups/[^/\s]+/providers/Microsoft\.Resources/templateSpecs/[^/\s]+/versions/[^/\s]+/?", re.IGNORECASE
)


def attempt_rules(path: str, given: Step | Defaults) -> Iterator[Problem]:
    """The rules that are broken by what stands at `path` itself: `steps.NAME` or `defaults`."""
    if given.retry is not None:
        yield from _retry(f"{path}.retry", given.retry)
    if given.heartbeat is not None:
        yield from _heartbeat(f"{path}.heartbeat", given.heartbeat)
    yield from _locations(f"{path}.locations", given.locations)
    if isinstance(given.template, str):
        yield from _spec(f"{path}.template", given.template)
    elif given.template is not None:
        yield from _spec(f"{path}.template.spec", given.template.spec)
        yield from _parameters(f"{path}.template.parameters", given.template)


def silences(workflow: Workflow) -> Iterator[Problem]:
    """Heartbeats that are not shorter than the timeout, which would come first; either may stand in `defaults`."""
    own = workflow.defaults
    if own.heartbeat and not _is_shorter(own.heartbeat, own.timeout):
        yield _too_long("defaults.heartbeat", own.heartbeat, own.timeout)
        return
    for path, step in steps_at(workflow):
        heartbeat, timeout = workflow.heartbeat(step), workflow.step_timeout(step)
        if heartbeat is None or not step.is_container or _is_shorter(heartbeat, timeout):
            continue
        if step.heartbeat:
            yield _too_long(f"{path}.heartbeat", heartbeat, timeout)
        else:
            message = f"is not longer than the heartbeat of {heartbeat} that `defaults` asks for, which could never be missed"
            yield Problem(f"{path}.timeout", message, "give the step a shorter `heartbeat` of its own")


def _too_long(path: str, heartbeat: str, timeout: str) -> Problem:
    return Problem(path, f"{heartbeat} of silence cannot pass within the timeout of {timeout}", "make it shorter than the timeout")


def _is_shorter(heartbeat: str, timeout: str) -> bool:
    """True also for what is no duration: that has been told by itself."""
    one, other = _seconds(heartbeat), _seconds(timeout)
    return one is None or other is None or one < other


def _retry(path: str, retry: Retry) -> Iterator[Problem]:
    if not 1 <= retry.attempts <= MOST_ATTEMPTS:
        hint = "1 is one try and no other" if retry.attempts < 1 else "all tries count, the first as well"
        yield Problem(f"{path}.attempts", f"must be 1 to {MOST_ATTEMPTS}, not {retry.attempts}", hint)
    if not 1 <= retry.factor <= LARGEST_FACTOR:
        yield Problem(
            f"{path}.factor", f"must be 1 to {LARGEST_FACTOR:g}, not {retry.factor:g}", "1 keeps the delay as it is, 2 doubles it"
        )
    for name, budget in (("infrastructure", retry.infrastructure), ("capacity", retry.capacity)):
        if not 0 <= budget <= MOST_TRIES_OF_AZURE:
            yield Problem(f"{path}.{name}", f"must be 0 to {MOST_TRIES_OF_AZURE}, not {budget}", "0 never tries again after such a failure")
    yield from _delays(path, retry)
    if not retry.on:
        yield Problem(f"{path}.on", "is empty: nothing would be tried again", "leave `on` out for the usual kinds, or say attempts: 1")
    yield from kinds(f"{path}.on", retry.on, NAMED)


def _delays(path: str, retry: Retry) -> Iterator[Problem]:
    wrong = [*_duration(f"{path}.delay", retry.delay), *_duration(f"{path}.max_delay", retry.max_delay)]
    yield from wrong
    if not wrong and durations.seconds(retry.delay) > durations.seconds(retry.max_delay):
        message = f"is longer than `max_delay`, {retry.max_delay}, which would cut it short"
        yield Problem(f"{path}.delay", message, f"say max_delay: {retry.delay} or more")


def kinds(path: str, given: tuple[str, ...], known: tuple[str, ...]) -> Iterator[Problem]:
    """The rules of a list of kinds of error: of those in `known`, and of the work's own."""
    if len(given) > MOST_KINDS:
        yield Problem(path, f"has {len(given)}, {MOST_KINDS} are allowed", "`failed` stands for whatever the work itself reports")
    for index, kind in enumerate(given):
        place = f"{path}[{index}]"
        if kind in given[:index]:
            yield Problem(place, f"`{kind}` stands here twice")
        elif kind == "quota":
            yield Problem(place, "work waits for quota, however long that takes, and no attempt is spent on it", "take it out")
        elif kind in HOPELESS and kind not in known:
            yield Problem(place, _HOPELESS_WORDS[kind], "take it out")
        elif kind not in known:
            yield from _own_kind(place, kind, known)


def _own_kind(path: str, kind: str, known: tuple[str, ...]) -> Iterator[Problem]:
    """A kind that the work itself reports may have any name, but one that is almost a known one is a slip."""
    word = kind.strip().lower().replace("-", "_").replace(" ", "_")
    meant = _OTHER_WORDS.get(word) or next(iter(get_close_matches(word[:40], known, n=1, cutoff=_ALIKE)), None)
    if meant:
        yield Problem(path, f"there is no kind `{kind}`", f"did you mean `{meant}`?")
    elif not _KIND.fullmatch(kind):
        words = ", ".join(known)
        yield Problem(path, f"`{kind}` is not a kind of error: use a letter, then a-z, 0-9, _ and -, at most 40", f"known here: {words}")


def _heartbeat(path: str, heartbeat: str) -> Iterator[Problem]:
    yield from (wrong := list(_duration(path, heartbeat)))
    if not wrong and durations.seconds(heartbeat) < SHORTEST_HEARTBEAT:
        yield Problem(
            path, f"must be at least {SHORTEST_HEARTBEAT:g}s, not {heartbeat}", "a heartbeat may be late without anything being wrong"
        )


def _locations(path: str, locations: tuple[str, ...]) -> Iterator[Problem]:
    if len(locations) > MOST_LOCATIONS:
        yield Problem(path, f"has {len(locations)}, {MOST_LOCATIONS} are allowed")
    for index, location in enumerate(locations):
        if has_expression(location):
            yield Problem(f"{path}[{index}]", "expressions are not evaluated in locations", "write the name out, like westeurope")
        elif not _LOCATION.fullmatch(location):
            hint = f"did you mean `{name}`?" if _LOCATION.fullmatch(name := re.sub(r"[\s_-]", "", location).lower()) else "like westeurope"
            yield Problem(f"{path}[{index}]", f"`{location}` is not the name of a location: lower-case letters and digits", hint)
        elif location in locations[:index]:
            yield Problem(f"{path}[{index}]", f"`{location}` stands here twice")


def _spec(path: str, spec: str) -> Iterator[Problem]:
    form = "/subscriptions/…/resourceGroups/…/providers/Microsoft.Resources/templateSpecs/NAME/versions/VERSION"
    if has_expression(spec):
        yield Problem(
            path, "expressions are not evaluated in the id of a template spec", "write the id out; `parameters` may hold expressions"
        )
    elif not _VERSION.fullmatch(spec):
        without = "it names no version: " if "/templatespecs/" in spec.lower() and "/versions/" not in spec.lower() else ""
        yield Problem(path, "is not the resource id of a template spec version", f"{without}it must be like {form}")


def _parameters(path: str, template: Template) -> Iterator[Problem]:
    if len(template.parameters) > MOST_PARAMETERS:
        yield Problem(path, f"has {len(template.parameters)}, {MOST_PARAMETERS} are allowed")
    seen: dict[str, str] = {}
    for name, value in template.parameters.items():
        if not _PARAMETER.fullmatch(name):
            yield Problem(f"{path}.{name}", f"`{name}` is not a parameter's name: use a letter or _, then letters, digits and _")
        elif name.lower() in KNOWN:
            yield Problem(f"{path}.{name}", f"`{name}` is filled by loadme itself", "take it out, or rename the template's parameter")
        elif (other := seen.setdefault(name.lower(), name)) != name:
            yield Problem(f"{path}.{name}", f"`{name}` and `{other}` differ only in case, which ARM does not look at", "take one out")
        if _is_nested(value):
            yield Problem(
                f"{path}.{name}", "an expression inside a list or an object is not evaluated", "let the whole value be one ${{ ... }}"
            )


def _is_nested(value: Any) -> bool:
    return not isinstance(value, str) and has_expression(value)


def _duration(path: str, text: str) -> Iterator[Problem]:
    try:
        durations.seconds(text)
    except ValueError as error:
        yield Problem(path, str(error))


def _seconds(text: str) -> float | None:
    try:
        return durations.seconds(text)
    except ValueError:
        return None
