"""`reference`, `references` and `list*`: what an expression asks about the state of resources, and when it may."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn, Protocol

from localcloud.arm.deployments import errors
from localcloud.arm.deployments.names import Names
from localcloud.arm.deployments.planned import Functions, PlannedResource
from localcloud.arm.deployments.targets import canonical
from localcloud.arm.deployments.template import RUN_TIME, misplaced
from localcloud.arm.expressions import Catalog, Evaluator, ExpressionError, calls

_NOT_IN_FULL = {"id", "name", "type"}


class Lookup(Protocol):
    """Calls of a running deployment, in its caller's name. They raise the ArmError that they are answered with."""

    def read(self, key: str, version: str) -> Mapping[str, Any]: ...

    def act(self, key: str, action: str, version: str, body: Any) -> Any: ...


def forbidden() -> Functions:
    """For names, types, conditions, counts, variables: they must be known before anything is deployed."""
    functions = Catalog()

    def refuse(name: str) -> Callable[..., NoReturn]:
        def body(*_arguments: Any) -> NoReturn:
            raise ExpressionError(misplaced(name))

        return body

    functions.function("reference", rest="any")(refuse("reference"))
    functions.function("references", rest="any")(refuse("references"))

    @functions.function("list*", rest="any")
    def refuse_list(name: str, *_arguments: Any) -> NoReturn:
        raise ExpressionError(misplaced(name))

    return functions


def late(value: str) -> bool:
    """Whether an expression waits for other resources."""
    return next(calls(value, *RUN_TIME), None) is not None


def put_off(tree: Any) -> Any:
    """The tree with its late expressions made literal: expanded, they stand in it as they are."""
    if isinstance(tree, str):
        return f"[{tree}" if late(tree) else tree
    if isinstance(tree, list):
        return [put_off(item) for item in tree]
    if isinstance(tree, dict):
        return {put_off(key): put_off(item) for key, item in tree.items()}
    return tree


def referred(trees: Any, evaluator: Evaluator, names: Names, where: str) -> Iterator[PlannedResource]:
    """What late expressions refer to by name; also by id, when no version says that it is there already. Raises for what is unknown."""
    for call in calls(trees, *RUN_TIME):
        try:
            word = evaluator.node(call.arguments[0], {})
        except (ExpressionError, IndexError):
            continue  # it depends on another reference, or is wrong: then evaluating it says so
        if not isinstance(word, str) or (word.startswith("/") and len(call.arguments) > 1):
            continue
        if not names.knows(word):
            raise errors.no_version(where, word) if word.startswith("/") else errors.unknown_reference(word)
        yield from names.find(word)


class References:
    """`target` is where names are looked for, `lookup` asks; `where` is what refers, for the errors."""

    def __init__(self, names: Names, lookup: Lookup, where: str) -> None:
        self._names = names
        self._lookup = lookup
        self._where = where

    def functions(self) -> Functions:
        functions = Catalog()
        functions.function("reference", "string", "string", "string", optional=2)(self.reference)
        functions.function("references", "string", "string", optional=1)(self.references)
        functions.function("list*", "string", "string", "object|null", optional=2)(self.act)
        return functions

    def reference(self, what: str, version: str = "", how: str = "") -> Any:
        # With symbolic names the version may be left out: reference('storage', 'Full').
        if version.lower() in ("full", "properties"):
            version, how = "", version
        return self._show(what, self._names.one(what), version, how)

    def references(self, what: str, how: str = "") -> list[Any]:
        """Of every round of a loop, by its symbolic name."""
        rounds = [one for one in self._names.rounds(what) if one.wanted]
        return [self._show(what, one, "", how) for one in sorted(rounds, key=lambda one: one.index or 0)]

    def act(self, function: str, what: str, version: str = "", body: Any = None) -> Any:
        planned = self._names.one(what)
        key, version = self.resolve(what, planned, version)
        return self._lookup.act(key, function, version, body)

    def resolve(self, what: str, planned: PlannedResource | None, version: str) -> tuple[str, str]:
        """The id and the version to ask with."""
        if planned is not None:
            return planned.id, version or planned.version
        if not what.startswith("/"):
            raise ExpressionError(
                "The template reference '{}' is not valid: could not find template resource or resource copy with this name. "
                "Please see https://aka.ms/arm-function-reference for usage details.",
                what,
            )
        if not version:
            raise ExpressionError(
                "The template resource '{}' reference to '{}' requires an API version. "
                "Please see https://aka.ms/arm-template for usage details.",
                self._where,
                what,
            )
        return canonical(what), version

    def _show(self, what: str, planned: PlannedResource | None, version: str, how: str) -> Any:
        key, version = self.resolve(what, planned, version)
        found = self._lookup.read(key, version)
        if how.lower() != "full":
            return found.get("properties") or {}
        return _full(found, key, version, planned)


def _full(found: Mapping[str, Any], key: str, version: str, planned: PlannedResource | None) -> dict[str, Any]:
    """As documented: without id, name and type, with what the deployment knows of it."""
    in_template = planned is not None and not planned.existing
    parts = key.split("/")
    group = {"resourceGroupName": parts[4]} if len(parts) > 4 and parts[3].lower() == "resourcegroups" else {}
    return {
        "apiVersion": version,
        **{name: value for name, value in found.items() if name not in _NOT_IN_FULL},
        "subscriptionId": parts[2] if len(parts) > 2 else "",
        **group,
        "resourceId": key.rpartition("/providers/")[2],
        "referenceApiVersion": version,
        "condition": planned.wanted if planned else True,
        "isConditionTrue": planned.wanted if planned else True,
        "isTemplateResource": in_template,
        "isAction": False,
        "provisioningOperation": "Create" if in_template else "Read",
    }
