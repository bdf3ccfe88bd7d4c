"""Whether a plain value has the shape of a definition's type, with everything that is wrong at once.

msgspec stops at the first mistake; a person wants to see them all. `salvage` reads the same types, so there is one truth.
"""

from __future__ import annotations

from typing import Any

from msgspec import NODEFAULT, inspect

from loadme.definitions.definition import Defaults, Output, Retry, Schedule, Step, Variable, Workflow
from loadme.definitions.problems import Problem, join, nearest
from loadme.definitions.values import shown

# What the design promises and this version does not do yet: refused, because a key that is ignored is a lie.
_GROUP = frozenset({"registry", "identity", "subnet", "priority", "secrets"})
LATER: dict[type, frozenset[str]] = {
    Workflow: frozenset(
        {"finally", "catch", "on_error", "max_parallel", "tolerate", "retry", "timeout", "timezone", "catch_up", "concurrency", "secrets"}
        | {"callback", "template", "registry", "identity", "volumes", "locations", "subnet", "priority", "outputs"}
    ),
    Schedule: frozenset({"timezone", "catch_up", "concurrency", "enabled"}),
    Defaults: _GROUP | {"volumes", "outputs_from", "max_parallel", "tolerate"},
    Step: _GROUP
    | {"for_each", "max_parallel", "tolerate", "wait", "sleep", "workflow", "finally", "catch", "on_error", "volumes", "init", "sidecars"}
    | {"variables", "concurrency", "start_timeout"},
}
_KINDS: dict[type, tuple[type | tuple[type, ...], str]] = {
    inspect.StrType: (str, "text"),
    inspect.FloatType: ((int, float), "a number"),
    inspect.IntType: (int, "a whole number"),
    inspect.BoolType: (bool, "true or false"),
    inspect.VarTupleType: (list, "a list"),
    inspect.DictType: (dict, "a mapping of names to values"),
    inspect.StructType: (dict, "a mapping of keys to values"),
}
# What people write where a mapping is meant, and what to say to them.
_SHORT_FORMS: dict[tuple[type, type], str] = {
    (Variable, type(None)): "write {{}} for a variable of any type that a start must give",
    (Retry, int): "write {{attempts: {}}}: all tries count, the first as well",
    (Retry, bool): "write {{attempts: 3}}, or leave `retry` out for one try",
}


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
    python, words = _KINDS[type(kind)]
    fits = isinstance(value, python) and (python is bool or not isinstance(value, bool))
    if not fits:
        problems.append(Problem(path, f"must be {words}, not {shown(value)}", _hint(value, kind)))
        return _placeholder(kind)
    if isinstance(kind, inspect.VarTupleType):
        return [_salvage(item, kind.item_type, f"{path}[{index}]", problems) for index, item in enumerate(value)]
    if isinstance(kind, inspect.DictType):
        return {key: _salvage(item, kind.value_type, join(path, key), problems) for key, item in value.items()}
    return _struct(value, kind, path, problems) if isinstance(kind, inspect.StructType) else value


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
    if key in LATER.get(cls, ()):
        return Problem(join(path, key), f"`{key}` is not honoured by this version yet", "remove it")
    hint = nearest(key, known)
    if cls in (Variable, Output) and not hint.startswith("did you mean"):
        hint = f"a mapping describes it ({', '.join(known)}); an object as a default is written {{default: {{...}}}}"
    return Problem(join(path, key), f"unknown key `{key}`", hint)


def _union(value: Any, kind: inspect.UnionType, path: str, problems: list[Problem]) -> Any:
    """Null, or a short form and a long form: a mapping is meant to be the long one."""
    options = [option for option in kind.types if not isinstance(option, inspect.NoneType)]
    if value is None and len(options) < len(kind.types):
        return None
    structs = [option for option in options if isinstance(option, inspect.StructType)]
    option = structs[0] if structs and isinstance(value, dict) else options[0]
    found: list[Problem] = []
    result = _salvage(value, option, path, found)
    problems.extend(found)
    # What was wrong is left out, so that nothing else is judged by a type that nobody wrote.
    if found and not isinstance(value, (dict, list)) and len(options) < len(kind.types):
        return None
    return _placeholder(structs[0]) if found and structs and option is not structs[0] else result


def _literal(value: Any, kind: inspect.LiteralType, path: str, problems: list[Problem]) -> Any:
    if not isinstance(value, bool) and value in kind.values:
        return value
    allowed = [str(option) for option in kind.values]
    hint = nearest(value, allowed) if isinstance(value, str) else ""
    what = f"must be {allowed[0]}" if len(allowed) == 1 else f"must be one of {', '.join(allowed)}"
    problems.append(Problem(path, f"{what}, not {shown(value)}", hint if hint.startswith("did") else ""))
    return kind.values[0]


def _hint(value: Any, kind: inspect.Type) -> str:
    if isinstance(kind, inspect.StrType) and not isinstance(value, (dict, list)):
        return "put it in quotes" if value is not None else "nothing stands behind it; text in quotes may be empty"
    if isinstance(kind, inspect.VarTupleType) and isinstance(value, str):
        return f"write [{', '.join(value.split())}]" if len(value) <= 40 else "write it in [brackets]"
    if isinstance(kind, (inspect.FloatType, inspect.IntType)) and isinstance(value, str):
        return "write it without quotes" if value.replace(".", "", 1).isdigit() else ""
    if isinstance(kind, inspect.StructType) and (kind.cls, type(value)) in _SHORT_FORMS:
        return _SHORT_FORMS[kind.cls, type(value)].format(value)
    return "leave the key out if it is meant to be empty" if value is None else ""


def _placeholder(kind: inspect.Type) -> Any:
    if isinstance(kind, inspect.UnionType):
        return _placeholder(kind.types[0])
    if isinstance(kind, inspect.LiteralType):
        return kind.values[0]
    if isinstance(kind, inspect.StructType):
        return {field.encode_name: _placeholder(field.type) for field in kind.fields if field.required and field.default is NODEFAULT}
    simple: dict[type, Any] = {inspect.StrType: "", inspect.FloatType: 1.0, inspect.IntType: 1, inspect.BoolType: False}
    return simple.get(type(kind), [] if isinstance(kind, inspect.VarTupleType) else {})
