"""The bodies of planned resources: what of the template's text is sent, and when its expressions are evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.arm.deployments.references import put_off
from localcloud.arm.expressions import Call, Evaluator, calls
from localcloud.arm.expressions.parser import Literal
from localcloud.arm.reading import as_object

_NOT_SENT = {
    "type",
    "apiVersion",
    "name",
    "dependsOn",
    "condition",
    "comments",
    "metadata",
    "copy",
    "resources",
    "scope",
    "resourceGroup",
    "subscriptionId",
    "existing",
}
_LATER = "\0"  # marks a string that belongs to the loops of a nested template


class Body:
    """The body of one resource, in one round of its loop."""

    def __init__(self, fields: Mapping[str, Any], *, nested: bool) -> None:
        self._tree = {key: value for key, value in fields.items() if key not in _NOT_SENT}
        self._template: Any = None
        self._parameters: Any = None
        self._inner = False
        if nested and isinstance(self._tree.get("properties"), dict):
            self._split(self._tree["properties"])

    def _split(self, properties: Mapping[str, Any]) -> None:
        """A nested deployment's template and parameters are expanded each in its own way."""
        options = as_object(properties.get("expressionEvaluationOptions"), "properties.expressionEvaluationOptions")
        self._inner = str(options.get("scope", "outer")).lower() == "inner"
        self._template = properties.get("template")
        self._parameters = properties.get("parameters")
        self._tree["properties"] = {key: value for key, value in properties.items() if key not in ("template", "parameters")}

    @property
    def evaluated(self) -> list[Any]:
        """The trees whose expressions are this template's own."""
        template = None if self._inner else _keep_loops(self._template)
        return [self._tree, self._parameters, template]

    @property
    def late(self) -> bool:
        return any(put_off(tree) != tree for tree in self.evaluated)

    def early(self, evaluator: Evaluator) -> dict[str, Any]:
        """What is known before anything is deployed; late expressions stay as they are."""
        tree, parameters, template = [put_off(tree) for tree in self.evaluated]
        return self._join(evaluator, tree, parameters, template)

    def final(self, evaluator: Evaluator) -> dict[str, Any]:
        return self._join(evaluator, *self.evaluated)

    def _join(self, evaluator: Evaluator, tree: Any, parameters: Any, template: Any) -> dict[str, Any]:
        body = dict(evaluator.expand(tree))
        if self._parameters is not None:
            # A null that is given to a parameter is a value.
            body["properties"]["parameters"] = evaluator.expand(parameters, keep_nulls=True)
        if self._inner and self._template is not None:
            body["properties"]["template"] = self._template
        elif template is not None:
            body["properties"]["template"] = _literal(evaluator.expand(template))
        return body


def _keep_loops(template: Any) -> Any:
    """The loops of a nested template with outer scope go round in it: their `copyIndex` is not the parent's."""
    if not isinstance(template, dict) or not isinstance(template.get("resources"), list):
        return template
    resources = [
        _mark(one, str(one["copy"].get("name"))) if isinstance(one, dict) and isinstance(one.get("copy"), dict) else one
        for one in template["resources"]
    ]
    return {**template, "resources": resources}


def _mark(tree: Any, loop: str) -> Any:
    if isinstance(tree, str):
        return _LATER + tree if any(_is_of(call, loop) for call in calls(tree, "copyIndex")) else tree
    if isinstance(tree, list):
        return [_mark(item, loop) for item in tree]
    if isinstance(tree, dict):
        return {key: _mark(item, loop) for key, item in tree.items()}
    return tree


def _is_of(call: Call, loop: str) -> bool:
    """Whether a `copyIndex` means this loop: it names it, or none."""
    first = call.arguments[0] if call.arguments else None
    return not isinstance(first, Literal) or not isinstance(first.value, str) or first.value.lower() == loop.lower()


def _literal(tree: Any) -> Any:
    """What the parent has evaluated is data: the nested deployment does not evaluate it again."""
    if isinstance(tree, str):
        if tree.startswith(_LATER):
            return tree[1:]
        return f"[{tree}" if tree.startswith("[") and tree.endswith("]") else tree
    if isinstance(tree, list):
        return [_literal(item) for item in tree]
    if isinstance(tree, dict):
        return {_literal(key): _literal(item) for key, item in tree.items()}
    return tree
