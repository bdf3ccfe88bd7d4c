"""`${{ }}` in the texts of a definition: CEL, the Common Expression Language, over variables, steps, item, index and run.

A text that is one expression and nothing else (but space around it) has that expression's value, with its type; in any other
text each expression is replaced by its value as text: strings as they are, everything else as compact JSON. Only what the
definition's author wrote is ever looked at here: the values of variables are data, whatever they look like.
"""

from __future__ import annotations

import base64
import datetime as dt
import math
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from loadme.definitions.cel_words import compile_problem, plain_reason
from loadme.definitions.problems import Problem
from loadme.definitions.tokenizer import end_of_expression, paths
from loadme.definitions.values import compact, conforms
from loadme.errors import ExpressionFailed

if TYPE_CHECKING:
    from cel_expr_python import cel  # type: ignore[import-untyped]

ROOTS = ("variables", "steps", "item", "index", "run")
LONGEST = 4_000
_OPEN, _CLOSE = "${{", "}}"


class Expression(Struct, frozen=True):
    """What stands between `${{` and `}}`."""

    source: str


class References(Struct, frozen=True):
    """What a text's expressions name outright; `steps[variables.x]` names a step only at run time: `any_step`.

    `attributes` are what is read of a step: ("convert", "outputs"); `run` is what is read of the run, `error` what of its error.
    """

    steps: frozenset[str] = frozenset()
    variables: frozenset[str] = frozenset()
    outputs: frozenset[tuple[str, str]] = frozenset()
    attributes: frozenset[tuple[str, str]] = frozenset()
    run: frozenset[str] = frozenset()
    error: frozenset[str] = frozenset()
    any_step: bool = False


def is_expression(text: str) -> bool:
    """Whether the text is one expression and nothing else, so that its value keeps its type."""
    try:
        parts = _parts(text)
    except ValueError:
        return False
    return len(parts) == 1 and isinstance(parts[0], Expression)


def has_expression(value: Any) -> bool:
    """Whether `${{` is anywhere in the value, at any depth."""
    if isinstance(value, str):
        return _OPEN in value
    if isinstance(value, Mapping):
        return any(has_expression(key) or has_expression(item) for key, item in value.items())
    return isinstance(value, (list, tuple)) and any(has_expression(item) for item in value)


def literal_text(text: str) -> str:
    """The text without its expressions."""
    return "".join(part for part in _parts(text) if isinstance(part, str))


def check(text: str, scope: Collection[str] = ROOTS, condition: bool = False) -> list[Problem]:
    """What is wrong with the text's expressions before any run; `scope` are the roots it may use, `condition` wants true or false."""
    try:
        sources = _sources(text)
    except ValueError as error:
        return [Problem("", str(error), "close the expression with }}; inside it, text in quotes may hold braces")]
    found = [problem for source in sources if (problem := _check_one(source, tuple(sorted(scope)))) is not None]
    if condition and not found and not (is_expression(text) and _kind(sources[0]) in ("BOOL", "DYN")):
        found.append(Problem("", "must be one expression that is true or false", "write it as ${{ ... }}, with nothing before or behind"))
    return found


def value_kind(text: str) -> str:
    """CEL's type of the value of a text that is one expression, like LIST; DYN if only a run can tell, or it does not compile."""
    try:
        return _kind(_sources(text)[0]).partition("<")[0] if is_expression(text) else "STRING"
    except (RuntimeError, TypeError):
        return "DYN"


def references(text: str) -> References:
    """What the text's expressions refer to by name."""
    try:
        found = [path for source in _sources(text) for path in paths(source, ROOTS)]
    except ValueError:
        return References()
    steps = [path for path in found if path[0] == "steps" and len(path) > 1]
    return References(
        steps=frozenset(path[1] for path in steps),
        variables=frozenset(path[1] for path in found if path[0] == "variables" and len(path) > 1),
        outputs=frozenset((path[1], path[3]) for path in steps if len(path) > 3 and path[2] == "outputs"),
        attributes=frozenset((path[1], path[2]) for path in steps if len(path) > 2),
        run=frozenset(path[1] for path in found if path[0] == "run" and len(path) > 1),
        error=frozenset(path[2] for path in found if path[:2] == ("run", "error") and len(path) > 2),
        any_step=("steps",) in found,
    )


def render(text: str, context: Mapping[str, Any]) -> Any:
    """The text's value for this run; `context` maps roots to dicts, lists and scalars (no tuples). Raises ExpressionFailed."""
    try:
        parts = _parts(text)
    except ValueError as error:
        raise ExpressionFailed(text, str(error)) from None
    if len(parts) == 1 and isinstance(parts[0], Expression):
        return _value(parts[0].source, context)
    return "".join(part if isinstance(part, str) else as_text(_value(part.source, context)) for part in parts)


def render_text(text: str, context: Mapping[str, Any]) -> str:
    """The text's value as text, for commands, images and environment variables."""
    return as_text(render(text, context))


def render_all(value: Any, context: Mapping[str, Any]) -> Any:
    """The value with every text in it rendered, at any depth; keys stay as they are. Raises ExpressionFailed."""
    if isinstance(value, str):
        return render(value, context)
    if isinstance(value, Mapping):
        return {key: render_all(one, context) for key, one in value.items()}
    return [render_all(one, context) for one in value] if isinstance(value, (list, tuple)) else value


def texts_in(value: Any) -> Iterator[str]:
    """Every text in the value, at any depth, that `render_all` looks at."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (Mapping, list, tuple)):
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from texts_in(one)


def holds(text: str, context: Mapping[str, Any]) -> bool:
    """The value of an `if`; anything but true or false raises ExpressionFailed."""
    value = render(text, context)
    if not isinstance(value, bool):
        raise ExpressionFailed(text.strip(), f"`if` must be true or false, this is {as_text(value)}")
    return value


def as_text(value: Any) -> str:
    """Strings as they are, everything else as compact JSON."""
    return value if isinstance(value, str) else compact(value)


@lru_cache(maxsize=2048)
def _parts(text: str) -> tuple[str | Expression, ...]:
    if _OPEN not in text:
        return (text,)
    parts: list[str | Expression] = []
    position = 0
    while (start := text.find(_OPEN, position)) >= 0:
        end = end_of_expression(text, start + len(_OPEN))
        if end is None:
            raise ValueError(f"`{text[start : start + 40]}` is never closed")
        parts += [text[position:start], Expression(text[start + len(_OPEN) : end].strip())]
        position = end + len(_CLOSE)
    parts.append(text[position:])
    expressions = [part for part in parts if isinstance(part, Expression)]
    # A block of YAML text ends with a line break: space around a lone expression does not make it text.
    alone = len(expressions) == 1 and not "".join(part for part in parts if isinstance(part, str)).strip()
    return (expressions[0],) if alone else tuple(part for part in parts if part)


def _sources(text: str) -> list[str]:
    return [part.source for part in _parts(text) if isinstance(part, Expression)]


def _check_one(source: str, scope: tuple[str, ...]) -> Problem | None:
    if len(source) > LONGEST:
        return Problem("", f"the expression has {len(source)} characters, {LONGEST} are allowed", "compute it in a step")
    if not source:
        return Problem("", "an expression is empty", "write something between ${{ and }}")
    try:
        _compile(source, scope)
    except (RuntimeError, TypeError) as error:  # a TypeError is pybind's word for text that is not valid Unicode
        return compile_problem(source, str(error), scope)
    return None


def _kind(source: str) -> str:
    return str(_compile(source, ROOTS).return_type().name())


def _value(source: str, context: Mapping[str, Any]) -> Any:
    try:
        result = _compile(source, ROOTS).eval(data=dict(context))
        kind, plain = result.type().name(), result.plain_value()
    except (RuntimeError, TypeError, UnicodeError) as error:
        raise ExpressionFailed(source, plain_reason(str(error))) from None
    if kind == "ERROR":
        raise ExpressionFailed(source, plain_reason(str(plain)))
    value = _json(source, plain)
    if (flaw := conforms(None, value)) is not None:
        raise ExpressionFailed(source, f"its value {flaw}")
    return value


def _json(source: str, value: Any) -> Any:
    """CEL's value in the JSON that its own specification gives it."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, (list, tuple)):
        return [_json(source, item) for item in value]
    if isinstance(value, dict):
        return {as_text(key): _json(source, item) for key, item in value.items()}
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, dt.timedelta):
        return _duration(value)
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    raise ExpressionFailed(source, f"its value is {value}, which is not JSON")


def _duration(value: dt.timedelta) -> str:
    total = value.total_seconds()
    return f"{math.trunc(total)}s" if total == math.trunc(total) else f"{total:f}".rstrip("0") + "s"


@lru_cache(maxsize=1024)
def _compile(source: str, scope: tuple[str, ...]) -> cel.Expression:
    return _environment(scope).compile(source)


@lru_cache(maxsize=8)
def _environment(scope: tuple[str, ...]) -> cel.Env:
    # Imported at the first expression: an app without any starts without CEL.
    from cel_expr_python import cel
    from cel_expr_python.ext import ext_strings  # type: ignore[import-untyped]

    return cel.NewEnv(variables=dict.fromkeys(scope, cel.Type.DYN), extensions=[ext_strings.ExtStrings()])
