"""Whether a plain value has the shape of a definition's type, with everything that is wrong at once.

msgspec stops at the first mistake; a person wants to see them all. `salvage` reads the same types, so there is one truth.
"""

from __future__ import annotations

from typing import Any

from msgspec import NODEFAULT, inspect

from loadme.definitions.definition import Catch, Concurrency, Defaults, Output, Retry, Schedule, Step, Variable, Wait, Workflow
from loadme.definitions.problems import Problem, join, nearest
from loadme.definitions.values import shown

_KINDS: dict[type, tuple[type | tuple[type, ...], str]] = {
    inspect.StrType: (str, "text"),
    inspect.FloatType: ((int, float), "a number"),
    inspect.IntType: (int, "a whole number"),
    inspect.BoolType: (bool, "true or false"),
    inspect.VarTupleType: (list, "a list"),
    inspect.ListType: (list, "a list"),
    inspect.DictType: (dict, "a mapping of names to values"),
    inspect.StructType: (dict, "a mapping of keys to values"),
}
# What people write where a mapping is meant, and what to say to them.
_SHORT_FORMS: dict[tuple[type, type], str] = {
    (Wait, type(None)): "write {{}} to wait for as long as it takes",
    (Wait, str): "write {{timeout: {}}}",
    (Concurrency, str): "write {{group: {}}}",
    (Catch, str): "write {{step: {}}}",
    (Schedule, str): 'write {{cron: "{}"}}',
    (Variable, type(None)): "write {{}} for a variable of any type that a start must give",
    (Retry, int): "write {{attempts: {}}}: all tries count, the first as well",
    (Retry, bool): "write {{attempts: 3}}, or leave `retry` out for one try",
}
_OTHER_WORDS: dict[type, dict[str, str]] = {
    Step: {
        **dict.fromkeys(("when", "condition"), "if"),
        **dict.fromkeys(("depends_on", "dependson", "depends", "dependencies", "after"), "needs"),
        **dict.fromkeys(("with_items", "withitems", "with_param", "withparam", "matrix", "loop", "map"), "for_each"),
        **dict.fromkeys(("cmd", "args", "entrypoint"), "command"),
        **dict.fromkeys(("on_failure", "onfailure"), "catch"),
        "environment": "env",
        "container": "image",
        "suspend": "wait",
        "uses": "workflow",
        "continue_on_error": "on_error",
    },
    Workflow: {
        **dict.fromkeys(("on_exit", "onexit", "always"), "finally"),
        **dict.fromkeys(("jobs", "tasks", "states"), "steps"),
        **dict.fromkeys(("params", "parameters", "inputs"), "variables"),
        **dict.fromkeys(("on", "cron", "triggers"), "schedules"),
    },
}
"""What other tools call a key, in lower case."""
_DURATIONS = ("timeout", "heartbeat", "delay", "max_delay", "sleep", "for")


def salvage(value: Any, cls: type, path: str = "") -> tuple[Any, list[Problem]]:
    """The value with what is wrong left out or replaced, so that it converts to `cls`, and the problems that were found."""
    problems: list[Problem] = []
    return _salvage(value, inspect.type_info(cls), path, problems), problems


def _salvage(value: Any, kind: inspect.Type, path: str, problems: list[Problem]) -> Any:
    if isinstance(kind, inspect.AnyType):
        return value
    if isinstance(kind, inspect.UnionType):
        return _union(value, kind, path, problems)
    if isinstance(kind, inspect.LiteralType):
        return _literal(value, kind, path, problems)
    if not _fits(value, kind):
        problems.append(Problem(path, f"must be {_KINDS[type(kind)][1]}, not {shown(value)}", _hint(value, kind, path)))
        return _placeholder(kind)
    if isinstance(kind, (inspect.VarTupleType, inspect.ListType)):
        return [_salvage(item, kind.item_type, f"{path}[{index}]", problems) for index, item in enumerate(value)]
    if isinstance(kind, inspect.DictType):
        return {key: _salvage(item, kind.value_type, join(path, key), problems) for key, item in value.items()}
    return _struct(value, kind, path, problems) if isinstance(kind, inspect.StructType) else value


def _fits(value: Any, kind: inspect.Type) -> bool:
    if type(kind) not in _KINDS:
        return False
    python, _ = _KINDS[type(kind)]
    return isinstance(value, python) and (python is bool or not isinstance(value, bool))


def _struct(value: dict[str, Any], kind: inspect.StructType, path: str, problems: list[Problem]) -> dict[str, Any]:
    fields = {field.encode_name: field for field in kind.fields}
    result = {}
    for key, item in value.items():
        if key in fields:
            result[key] = _salvage(item, fields[key].type, join(path, key), problems)
        else:
            problems.append(_unknown(key, kind.cls, list(fields), path))
    for name, field in fields.items():
        if field.required and name not in value:
            problems.append(Problem(join(path, name), f"`{name}` is missing"))
            result[name] = _placeholder(field.type)
    return result


def _unknown(key: str, cls: type, known: list[str], path: str) -> Problem:
    other = _OTHER_WORDS.get(cls, {}).get(key.lower().replace("-", "_"))
    hint = f"it is called `{other}` here" if other else nearest(key, known)
    if cls is Workflow and key in Defaults.__struct_fields__ and key not in known:
        hint = f"steps have it, and `defaults`: {{{key}: …}}"
    if cls is Workflow and key in ("timezone", "catch_up"):
        hint = f'it belongs to a schedule: schedules: [{{cron: "…", {key}: …}}]'
    if cls in (Variable, Output) and not hint.startswith("did you mean"):
        hint = f"a mapping describes it ({', '.join(known)}); an object as a default is written {{default: {{...}}}}"
    return Problem(join(path, key), f"unknown key `{key}`", hint)


def _union(value: Any, kind: inspect.UnionType, path: str, problems: list[Problem]) -> Any:
    """Null, or one of several forms: what the value looks like shows which one is meant."""
    options = [option for option in kind.types if not isinstance(option, inspect.NoneType)]
    is_optional = len(options) < len(kind.types)
    if value is None and is_optional:
        problems.append(Problem(path, "nothing stands behind it", _meant(options)))
        return None
    option = next((option for option in options if _fits(value, option)), options[0])
    simple = [_KINDS[type(one)][1] for one in options if type(one) in _KINDS and not isinstance(one, inspect.StructType)]
    if len(simple) > 1 and not _fits(value, option):
        problems.append(Problem(path, f"must be {_one_of(simple)}, not {shown(value)}", _hint(value, option, path)))
        return None if is_optional else _placeholder(option)
    found: list[Problem] = []
    result = _salvage(value, option, path, found)
    problems.extend(found)
    # What was wrong is left out, so that nothing else is judged by a type that nobody wrote.
    if found and not isinstance(value, (dict, list)) and is_optional:
        return None
    structs = [one for one in options if isinstance(one, inspect.StructType)]
    return _placeholder(structs[0]) if found and structs and option is not structs[0] else result


def _meant(options: list[inspect.Type]) -> str:
    """What to write where nothing stands."""
    structs = [option.cls for option in options if isinstance(option, inspect.StructType)]
    return next((_SHORT_FORMS[cls, type(None)].format("") for cls in structs if (cls, type(None)) in _SHORT_FORMS), "leave the key out")


def _one_of(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _literal(value: Any, kind: inspect.LiteralType, path: str, problems: list[Problem]) -> Any:
    if not isinstance(value, bool) and value in kind.values:
        return value
    allowed = [str(option) for option in kind.values]
    hint = nearest(value, allowed) if isinstance(value, str) else ""
    what = f"must be {allowed[0]}" if len(allowed) == 1 else f"must be one of {', '.join(allowed)}"
    problems.append(Problem(path, f"{what}, not {shown(value)}", hint if hint.startswith("did") else ""))
    return kind.values[0]


def _hint(value: Any, kind: inspect.Type, path: str) -> str:
    if by_key := _hint_of_key(value, path):
        return by_key
    if isinstance(kind, inspect.StrType) and isinstance(value, bool):
        return f"put it in quotes; a condition is written ${{{{ {str(value).lower()} }}}}"
    if isinstance(kind, inspect.StrType) and not isinstance(value, (dict, list)):
        return "put it in quotes" if value is not None else "nothing stands behind it; text in quotes may be empty"
    if isinstance(kind, (inspect.VarTupleType, inspect.ListType)) and isinstance(value, str):
        short = f"{{step: {value}}}" if isinstance(kind.item_type, inspect.StructType) and kind.item_type.cls is Catch else ""
        return f"write [{short or ', '.join(value.split())}]" if len(value) <= 40 else "write it in [brackets]"
    if isinstance(kind, (inspect.VarTupleType, inspect.ListType)) and isinstance(value, dict):
        return "put it in [brackets], or a hyphen before it"
    if isinstance(kind, inspect.DictType) and isinstance(value, list):
        return "give each a name: NAME: …"
    if isinstance(kind, (inspect.FloatType, inspect.IntType)) and isinstance(value, str):
        return "write it without quotes" if value.replace(".", "", 1).isdigit() else ""
    if isinstance(kind, inspect.StructType) and (kind.cls, type(value)) in _SHORT_FORMS:
        return _SHORT_FORMS[kind.cls, type(value)].format(value)
    return "leave the key out if it is meant to be empty" if value is None else ""


def _hint_of_key(value: Any, path: str) -> str:
    """What to write for a key whose unit was guessed."""
    key = path.rpartition(".")[2]
    if key in _DURATIONS and ".env." not in path and isinstance(value, int) and not isinstance(value, bool):
        return f"write {value}s if it is seconds"
    if key == "memory" and isinstance(value, str):
        return "it is a number of GB, like 1.5"
    is_share = key == "tolerate" and isinstance(value, float) and 0 < value <= 1
    return f"write {value * 100:g}%, with its sign, for a share" if is_share else ""


def _placeholder(kind: inspect.Type) -> Any:
    if isinstance(kind, inspect.UnionType):
        return _placeholder(kind.types[0])
    if isinstance(kind, inspect.LiteralType):
        return kind.values[0]
    if isinstance(kind, inspect.StructType):
        return {field.encode_name: _placeholder(field.type) for field in kind.fields if field.required and field.default is NODEFAULT}
    simple: dict[type, Any] = {inspect.StrType: "", inspect.FloatType: 1.0, inspect.IntType: 1, inspect.BoolType: False}
    return simple.get(type(kind), [] if isinstance(kind, (inspect.VarTupleType, inspect.ListType)) else {})
