"""CEL's messages in plain words."""

from __future__ import annotations

import re
from collections.abc import Collection

from loadme.definitions.problems import Problem, nearest

_PLACE = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_KEYWORD = re.compile(r"no viable alternative at input '\.(in|true|false|null)'")
_HYPHENATED = re.compile(r"\bsteps\.([a-z0-9]+(?:-[a-z0-9]+)+)")

# CEL's words (as cel-cpp 0.1.3 has them) and ours; the first that matches is taken.
_REASONS = (
    (r'Key not found in map : "?([^"]*)"?', r"there is no `\1`"),
    (r"No value with name \"(\w+)\" found in Activation", r"`\1` is not available here"),
    (r"No matching overloads found : _(\S+?)_\((.*)\)", r"`\1` does not work on \2: convert with int(), double() or string()"),
    (r"No matching overloads found : \((\w+)\)\.(\w+)\(.*\)", r"`\2` does not work on \1"),
    (r"No matching overloads found : (\S+?)\((.*)\)", r"`\1` does not work on \2"),
    (
        r"found no matching overload for '_(\S+?)_' applied to '\((.*)\)'",
        r"`\1` does not work on \2: convert with int(), double() or string()",
    ),
    (r"found no matching overload for '(\S+?)' applied to '(?:.*\.)?\((.*)\)'", r"`\1` does not work on (\2)"),
    (r"Index error: index=(-?\d+) size=(\d+)", r"there is no element \1 in a list of \2, the first is 0"),
    (r"Integer value '(-?\d+)' out of range.*", r"\1 does not fit into 64 bits"),
    (r"Applying SELECT to non-message type", "what stands before a dot is null, or no object (x == null ? '' : x.y asks first)"),
    (r"divide by zero", "it divides by zero"),
    (r"compile\(\): incompatible function arguments.*", "it uses text that is not valid Unicode"),
    (r"basic_string: construction from null is not valid", "it uses text that is not valid Unicode"),
    (r"'\w+' codec can't encode.*", "it holds text that is not valid Unicode"),
    (r".*recursion (?:limit|depth).*", "it is nested too deeply, 32 levels are allowed (a chain like a + b + c counts, too)"),
    (r"Syntax error: mismatched input '<EOF>'.*", "it ends too early"),
    (r"Syntax error: (?:mismatched|extraneous) input '(.*?)' expecting.*", r"`\1` was not expected here"),
    (r"Syntax error: no viable alternative at input '(.*)'", r"`\1` was not expected here"),
    (r"Syntax error: token recognition error at: '(.*)'", r"`\1` is not CEL"),
)
_REASONS_COMPILED = tuple((re.compile(pattern, re.DOTALL), words) for pattern, words in _REASONS)
# What other languages have as a function, and what stands for it here.
_INSTEAD = {
    "now": "times come from run.created_at and run.scheduled_at",
    **dict.fromkeys(("always", "success", "failure"), "which endings of the steps before count is said in `needs`, or use `finally`"),
}
_STATUS = re.compile(r"^[A-Z_]+: (.*?)(?: \[[A-Z_]+\])?$", re.DOTALL)


def plain_reason(message: str) -> str:
    """Why an evaluation failed, without CEL's status codes."""
    place = _PLACE.search(message)
    stripped = _STATUS.sub(r"\1", place[3] if place else message.strip())
    for pattern, words in _REASONS_COMPILED:
        if (found := pattern.fullmatch(stripped)) is not None:
            return found.expand(words).replace("int64", "int").replace("null_type", "null")
    return stripped


def compile_problem(source: str, message: str, scope: Collection[str]) -> Problem:
    """Why an expression cannot be compiled, with the place in it that CEL names."""
    place = _PLACE.search(message)
    if place is None:
        return Problem("", f"`{source}` is wrong: {plain_reason(message)}")
    line, column = int(place[1]), int(place[2])
    words = re.sub(r" \[[A-Z_]+\]$", "", place[3])
    where = f" at line {line}, column {column}" if "\n" in source else f" at column {column}" if column > 0 else ""
    if (keyword := _KEYWORD.search(words)) is not None:
        return Problem(
            "", f"`{source}` is wrong{where}: `{keyword[1]}` is a word of CEL itself", f"write ['{keyword[1]}'] instead of .{keyword[1]}"
        )
    if (unknown := _UNDECLARED.search(words)) is not None:
        return _unknown_name(source, unknown[1], where, scope)
    return Problem("", f"`{source}` is wrong{where}: {plain_reason(words)}", "expressions are CEL: https://cel.dev")


def _unknown_name(source: str, name: str, where: str, scope: Collection[str]) -> Problem:
    if (hyphenated := _HYPHENATED.search(source)) is not None:
        step = hyphenated[1]
        return Problem(
            "", f"`{source}` is wrong{where}: a hyphen is a minus in an expression", f"write steps['{step}'] instead of steps.{step}"
        )
    root = name.split(".")[0]
    if re.search(rf"(?<!\w){re.escape(root)}\s*\(", source):
        hint = _INSTEAD.get(root, "expressions are CEL: https://cel.dev")
        return Problem("", f"`{source}` is wrong{where}: there is no function `{root}`", hint)
    hint = "only what a `for_each` step does for each item knows it" if root in ("item", "index") else nearest(root, sorted(scope))
    return Problem("", f"`{source}` is wrong{where}: `{root}` is not known here", hint)
