"""Lists as ARM itself gives them: filtered, and cut into pages when the caller asks for few at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from localcloud.arm.calls import Call
from localcloud.arm.errors import bad_request, not_supported

_TERM = re.compile(r"\s*(\w+)\s+(eq|ne)\s+'((?:[^']|'')*)'\s*", re.IGNORECASE)
_SUBSTRING = re.compile(r"\s*substringof\('((?:[^']|'')*)',\s*(\w+)\)\s*", re.IGNORECASE)
_FIELDS = {"resourcetype": "type", "name": "name", "location": "location", "tagname": "", "tagvalue": "", "resourcegroup": ""}
Item = Mapping[str, Any]


def page(call: Call, found: Iterable[Item]) -> dict[str, Any]:
    """The items that `$filter` leaves, `$top` of them at a time."""
    kept = sorted(_filtered(found, call.query.get("$filter", "")), key=lambda one: str(one["id"]).lower())
    top = call.query.get("$top")
    if top is None:
        return {"value": kept}
    if not top.isdecimal() or int(top) == 0:
        raise bad_request("InvalidTopValue", f"The value '{top}' of $top is not a number above 0.")
    after = call.query.get("$skiptoken", "")
    left = [one for one in kept if str(one["id"]).lower() > after]
    shown = left[: int(top)]
    if len(left) <= len(shown):
        return {"value": shown}
    query = urlencode({**call.query, "$skiptoken": str(shown[-1]["id"]).lower()})
    return {"value": shown, "nextLink": f"{call.base}{call.path}?{query}"}


def _filtered(found: Iterable[Item], text: str) -> list[Item]:
    kept = list(found)
    terms = re.split(r"\s+and\s+", text, flags=re.IGNORECASE) if text.strip() else []
    tags = {}
    for term in terms:
        name, is_equal, value, inside = _read(term, text)
        if name in ("tagname", "tagvalue"):
            tags[name] = value
        else:
            kept = [one for one in kept if (value in _field(one, name) if inside else _field(one, name) == value) == is_equal]
    return [one for one in kept if _has_tag(one, tags)]


def _read(term: str, text: str) -> tuple[str, bool, str, bool]:
    """The field, whether it must be so or must not, the value, and whether that is only to be a part of it."""
    if match := _SUBSTRING.fullmatch(term):
        name, value, how, inside = match[2], match[1], "eq", True
    elif match := _TERM.fullmatch(term):
        name, how, value, inside = match[1], match[2], match[3], False
    else:
        raise not_supported(f"The $filter '{text}'")
    if name.lower() not in _FIELDS or (name.lower().startswith("tag") and (how.lower() == "ne" or inside)):
        raise not_supported(f"The $filter '{text}'")
    return name.lower(), how.lower() == "eq", value.replace("''", "'").lower(), inside


def _field(one: Item, name: str) -> str:
    if name == "resourcegroup":
        return str(one["id"]).split("/")[4].lower()
    return str(one.get(_FIELDS[name], "")).lower()


def _has_tag(one: Item, wanted: Mapping[str, str]) -> bool:
    """A tag of the wanted name has the wanted value; the one or the other may be left open."""
    pairs = [(str(name).lower(), str(value).lower()) for name, value in (one.get("tags") or {}).items()]
    return not wanted or any(wanted.get("tagname", name) == name and wanted.get("tagvalue", value) == value for name, value in pairs)
