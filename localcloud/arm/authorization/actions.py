"""Actions: which one a call needs, and whether a role's patterns have it."""

from __future__ import annotations

import re
from functools import cache

from localcloud.arm.ids import Target, read_target

_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}
_INSIDE = "/subscriptions/resourceGroups/"


def needed(method: str, path: str) -> tuple[str, str]:
    """The action that a call needs and the scope on which it needs it; the action is empty for a path that names nothing."""
    target = read_target(path)
    if not target.types:
        return "", target.scope
    if method == "POST":
        return f"{_kind(target)}/action", target.parent
    # A list is read on what it is a list of: all the container groups of a resource group, the logs of a container.
    return f"{_kind(target)}/{_VERBS.get(method, 'write')}", target.parent if target.is_list else target.path


def _kind(target: Target) -> str:
    """Older clients leave the provider out of the path of a deployment; its actions are the same."""
    at = target.kind.lower().find(f"{_INSIDE}deployments".lower())
    return f"{target.namespace}/{target.kind[at + len(_INSIDE) :]}" if at >= 0 else target.kind


@cache
def pattern(action: str) -> re.Pattern[str]:
    """Of a role's action, in which `*` stands for anything.

    `a/*/read` has `a/read`, too: without that the built-in Managed Identity Operator could not assign an identity.
    """
    escaped = re.escape(action.lower())
    return re.compile(escaped.replace(r"/\*/", "/(?:.*/)?").replace(r"\*", ".*"))


def has(actions: list[str], wanted: str) -> bool:
    """Whether one of a role's actions is the wanted one."""
    return any(pattern(one).fullmatch(wanted.lower()) for one in actions)


def is_within(scope: str, outer: str) -> bool:
    """Whether what is assigned on `outer` also holds on `scope`."""
    inner, outer = scope.lower().rstrip("/"), outer.lower().rstrip("/")
    return inner == outer or inner.startswith(f"{outer}/")
