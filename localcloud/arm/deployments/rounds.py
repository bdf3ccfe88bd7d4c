"""From the resources of a template to those that are meant: one for each round of a copy loop, in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from localcloud.arm.deployments import errors
from localcloud.arm.deployments.bodies import Body
from localcloud.arm.deployments.planned import PlannedResource
from localcloud.arm.deployments.references import forbidden
from localcloud.arm.deployments.targets import GROUPS, KIND, Target, canonical
from localcloud.arm.deployments.template import Source
from localcloud.arm.errors import ArmError
from localcloud.arm.expressions import Evaluator, ExpressionError
from localcloud.arm.expressions.values import is_of, type_name
from localcloud.arm.ids import group_id, resource_id
from localcloud.arm.reading import as_texts

T = TypeVar("T")


@dataclass(frozen=True)
class Draft:
    """A resource that does not know yet which ids it needs. `batch` are the rounds of its loop that come first, if it is serial."""

    resource: PlannedResource
    wishes: tuple[str, ...]
    body: Body
    evaluator: Evaluator
    batch: range = range(0)


@dataclass(frozen=True)
class _Round:
    evaluator: Evaluator
    loop: str = ""
    index: int | None = None
    batch: range = range(0)
    parent: PlannedResource | None = None


def guard(where: str, evaluate: Callable[[], T]) -> T:
    """Turns what is wrong with an expression into ARM's error."""
    try:
        return evaluate()
    except ExpressionError as error:
        raise errors.invalid_expression(where, str(error)) from None


def drafts(sources: tuple[Source, ...], evaluator: Evaluator, target: Target) -> Iterator[Draft]:
    for source in sources:
        for turn in _rounds(source, evaluator):
            yield from _family(source, turn, target)


def loop_names(sources: tuple[Source, ...], evaluator: Evaluator) -> Iterator[str]:
    """The names of all loops, also of those without a round."""
    for source in sources:
        if isinstance(source.fields.get("copy"), dict):
            yield str(evaluator.within(forbidden()).expand(source.fields["copy"]["name"]))
            yield from filter(None, [source.symbol])


def _rounds(source: Source, evaluator: Evaluator) -> Iterator[_Round]:
    copy = source.fields.get("copy")
    if copy is None:
        yield _Round(evaluator)
        return
    if not isinstance(copy, dict) or not copy.get("name") or "count" not in copy:
        raise errors.invalid_template("The 'copy' of a resource must be an object with a 'name' and a 'count'")
    early = evaluator.within(forbidden())
    where = f"the copy loop of the resource '{source.fields['name']}'"
    name = str(guard(where, lambda: early.expand(copy["name"])))
    count = guard(where, lambda: early.copies(copy["count"]))
    size = _batch_size(copy, early, where) or count
    for index in range(count):
        first = index // size * size  # a batch waits for all of the one before it
        yield _Round(evaluator.looping(name, index, resource=True), name, index, range(max(0, first - size), first))


def _batch_size(copy: Mapping[str, Any], evaluator: Evaluator, where: str) -> int:
    """How many go at once; 0 for all."""
    mode = str(copy.get("mode", "parallel")).lower()
    if mode not in ("serial", "parallel"):
        raise errors.invalid_template(f"The copy mode '{mode}' is not valid: it is 'serial' or 'parallel'")
    size = guard(where, lambda: evaluator.expand(copy.get("batchSize", 1)))
    if not is_of(size, "int") or size < 1:
        raise errors.invalid_template(f"The batch size '{size}' of the copy loop '{copy['name']}' must be a positive integer")
    return int(size) if mode == "serial" else 0


def _family(source: Source, turn: _Round, target: Target) -> Iterator[Draft]:
    """The resource and those nested in it."""
    draft = _draft(source, turn, target)
    yield draft
    for child in source.children:
        yield from _family(child, _Round(turn.evaluator, turn.loop, turn.index, turn.batch, draft.resource), target)


def _draft(source: Source, turn: _Round, target: Target) -> Draft:
    fields = source.fields
    early = turn.evaluator.within(forbidden())
    wanted = _condition(fields, early)
    place = _place(source, turn, early, target, wanted=wanted)
    body = Body(fields, nested=place.kind.lower() == KIND.lower())
    resource = PlannedResource(
        id=place.id,
        kind=place.kind,
        name=place.name,
        version=str(_early(fields, "apiVersion", early)),
        body=guard(place.words, lambda: body.early(turn.evaluator)) if wanted else {},
        make=lambda functions: guard(place.words, lambda: body.final(turn.evaluator.within(functions))),
        late=guard(place.words, lambda: body.late),
        wanted=wanted,
        existing=bool(fields.get("existing")),
        symbol=source.symbol,
        loop=turn.loop,
        index=turn.index,
    )
    # What is not deployed waits for nothing.
    wishes = guard(place.words, lambda: early.expand(fields.get("dependsOn") or [])) if wanted else []
    return Draft(resource, tuple(as_texts(wishes, f"{place.kind}/{place.name}.dependsOn")), body, turn.evaluator, turn.batch)


@dataclass(frozen=True)
class _Place:
    kind: str
    name: str
    id: str

    @property
    def words(self) -> str:
        return f"resource '{self.id}'"


def _place(source: Source, turn: _Round, early: Evaluator, target: Target, *, wanted: bool) -> _Place:
    """Where a resource goes. One whose condition is false may have a name that cannot be told: published templates rely on it."""
    try:
        kind, name = _named(source.fields, early, turn.parent)
        if "location" in source.fields:
            # ARM wants to know where everything goes before it begins.
            _early(source.fields, "location", early)
        return _Place(kind, name, _key(kind, name, source.fields, early, target))
    except ArmError:
        if wanted:
            raise
        kind, name = str(source.fields["type"]), str(source.fields["name"])
        return _Place(kind, name, f"{target.id}/providers/{kind}/{source.symbol or name}")


def _early(fields: Mapping[str, Any], key: str, early: Evaluator) -> Any:
    """A field that must be known beforehand. Raises ARM's error for one that is not."""
    try:
        return early.expand(fields[key])
    except ExpressionError as error:
        raise errors.not_valid("resource", str(fields["name"]), str(error)) from None


def _named(fields: Mapping[str, Any], early: Evaluator, parent: PlannedResource | None) -> tuple[str, str]:
    """The full type and name; those of a nested resource go on from its parent's."""
    kind, name = _early(fields, "type", early), _early(fields, "name", early)
    if not isinstance(kind, str) or not isinstance(name, str) or not name:
        raise errors.not_valid("resource", str(fields["name"]), f"its name must be a string and is of type '{type_name(name)}'")
    if parent is not None:
        kind, name = f"{parent.kind}/{kind}", f"{parent.name}/{name}"
    if kind.count("/") != name.count("/") + 1:
        raise errors.wrong_segments(name, kind)
    return kind, name


def _condition(fields: Mapping[str, Any], early: Evaluator) -> bool:
    value = _early(fields, "condition", early) if "condition" in fields else True
    if isinstance(value, str) and value.lower() in ("true", "false"):
        value = value.lower() == "true"
    if not isinstance(value, bool):
        reason = f"the condition must be a boolean and is of type '{type_name(value)}'"
        raise errors.not_valid("resource", str(fields["name"]), reason)
    return value


def _key(kind: str, name: str, fields: Mapping[str, Any], early: Evaluator, target: Target) -> str:
    given = {key: str(_early(fields, key, early)) for key in ("scope", "subscriptionId", "resourceGroup") if fields.get(key)}
    if kind.lower() == GROUPS.lower():
        if target.group is not None and not fields.get("existing"):
            raise errors.invalid_template(f"A resource group ('{name}') can only be deployed at subscription scope")
        return group_id(given.get("subscriptionId", target.subscription), name)
    if kind.lower() != KIND.lower() and not fields.get("existing") and given.keys() & {"subscriptionId", "resourceGroup"}:
        raise errors.invalid_template(f"The resource '{name}' of type '{kind}' cannot have a resource group or subscription of its own")
    return resource_id(_scope(given, target), kind, name)


def _scope(given: Mapping[str, str], target: Target) -> str:
    if "scope" in given:
        return _absolute(given["scope"], target)
    if not given:
        return target.id
    subscription = given.get("subscriptionId", target.subscription)
    return group_id(subscription, given["resourceGroup"]) if "resourceGroup" in given else f"/subscriptions/{subscription}"


def _absolute(scope: str, target: Target) -> str:
    """`/subscriptions/...`, `/` for the tenant, or what is named relative to the deployment: `Ns/type/name`."""
    if scope.startswith("/"):
        return canonical(scope.rstrip("/"))
    return f"{target.id}/providers/{scope}"
