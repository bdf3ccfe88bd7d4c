"""Liveness and readiness probes as a body asks for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from localcloud.arm.containerinstance import errors
from localcloud.arm.containerinstance.reading import as_list, as_object, need, only, whole_number

# Azure's defaults, which are those of Kubernetes, and the least that may be asked for.
_NUMBERS = {
    "initialDelaySeconds": (0, 0),
    "periodSeconds": (10, 1),
    "failureThreshold": (3, 1),
    "successThreshold": (1, 1),
    "timeoutSeconds": (1, 1),
}
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_HTTP = {"path", "port", "scheme", "httpHeaders"}


@dataclass(frozen=True, kw_only=True)
class Request:
    """A GET that must be answered with a status from 200 to 399."""

    port: int
    path: str = "/"
    scheme: str = "http"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Either a `command` that must end with 0, or a `request`. Times are seconds; `shown` is what was sent."""

    shown: Mapping[str, Any]
    command: tuple[str, ...] = ()
    request: Request | None = None
    delay: int
    period: int
    failures: int
    successes: int
    timeout: int


def read_probe(given: Any, path: str, container: str, group: str) -> Probe | None:
    """Raises a 400 for one that cannot be kept."""
    if given is None:
        return None
    entry = as_object(given, path)
    only(entry, {"exec", "httpGet", *_NUMBERS}, (), "ContainerProbe", f"{path}.")
    ways = [way for way in ("exec", "httpGet") if entry.get(way) is not None]
    if len(ways) != 1:
        raise errors.invalid_probe("give it exactly one of 'exec' and 'httpGet'", container, group)
    numbers = [_number(entry, name, container, group) for name in _NUMBERS]
    delay, period, failures, successes, timeout = numbers
    return Probe(
        shown={key: value for key, value in entry.items() if value is not None},
        command=_command(entry["exec"], f"{path}.exec", container, group) if ways[0] == "exec" else (),
        request=_request(entry["httpGet"], f"{path}.httpGet", container, group) if ways[0] == "httpGet" else None,
        delay=delay,
        period=period,
        failures=failures,
        successes=successes,
        timeout=timeout,
    )


def _number(entry: Mapping[str, Any], name: str, container: str, group: str) -> int:
    usual, least = _NUMBERS[name]
    value = entry.get(name)
    if value is None:
        return usual
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise errors.invalid_probe(f"'{name}' must be at least {least}", container, group)
    return value


def _command(given: Any, path: str, container: str, group: str) -> tuple[str, ...]:
    entry = as_object(given, path)
    only(entry, {"command"}, (), "ContainerExec", f"{path}.")
    command = tuple(str(word) for word in as_list(entry.get("command"), f"{path}.command"))
    if not command:
        raise errors.invalid_probe("its command is empty", container, group)
    return command


def _request(given: Any, path: str, container: str, group: str) -> Request:
    entry = as_object(given, path)
    only(entry, _HTTP, (), "ContainerHttpGet", f"{path}.")
    port = whole_number(need(entry, "port", path), f"{path}.port")
    if not 1 <= port <= 65535:
        raise errors.invalid_port(port, group)
    scheme = str(entry.get("scheme") or "http").lower()
    if scheme not in ("http", "https"):
        raise errors.invalid_probe(f"its scheme '{scheme}' is not one of 'http,https'", container, group)
    headers = [as_object(item, f"{path}.httpHeaders") for item in as_list(entry.get("httpHeaders"), f"{path}.httpHeaders")]
    return Request(
        port=port,
        path=str(entry.get("path") or "/"),
        scheme=scheme,
        headers=dict(_header(item, f"{path}.httpHeaders", container, group) for item in headers),
    )


def _header(given: Mapping[str, Any], path: str, container: str, group: str) -> tuple[str, str]:
    name, value = need(given, "name", path), str(given.get("value") or "")
    if not _HEADER.fullmatch(name) or not _VALUE.fullmatch(value):
        raise errors.invalid_probe(f"its header {name!r} cannot be sent", container, group)
    return name, value
