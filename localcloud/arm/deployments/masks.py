"""What of a planned body is a secret, so that what-if does not show it."""

from __future__ import annotations

from collections.abc import Callable
from string import ascii_lowercase, ascii_uppercase
from typing import Any

MASK = "*******"
_SECRET_KEYS = {"securevalue", "password", "adminpassword", "storageaccountkey", "workspacekey", "connectionstring"}
_OTHER = "\0other"  # the key that a veiled object has beside its own

Veil = Callable[[Any], Any]
"""Gives another value in a secret's place. It may be used on what it has given already, and does not give the secret back then."""


def masked(body: Any, *others: Any) -> Any:
    """The body with a mask wherever it differs from one made of other secrets, and where a key says that it is secret.

    An object whose keys differ is masked as a whole: its keys are made of secrets.
    """
    if isinstance(body, dict) and all(isinstance(other, dict) and other.keys() == body.keys() for other in others):
        return {key: _entry(key, value, [other[key] for other in others]) for key, value in body.items()}
    if isinstance(body, list) and all(isinstance(other, list) and len(other) == len(body) for other in others):
        return [masked(value, *(other[at] for other in others)) for at, value in enumerate(body)]
    return body if all(type(other) is type(body) and other == body for other in others) else MASK


def masked_id(key: str, *others: str) -> str:
    """The same for the words of a resource id."""
    return "/".join(masked(key.split("/"), *(other.split("/") for other in others)))


def _entry(key: str, value: Any, others: list[Any]) -> Any:
    if key.lower() in _SECRET_KEYS and isinstance(value, str):
        return MASK
    if key == "secret" and isinstance(value, dict):  # the files of a secret volume
        return dict.fromkeys(value, MASK)
    return masked(value, *others)


def lower_veil(value: Any) -> Any:
    """Longer text in which every character is another one; other numbers; true."""
    return _veiled(value, lambda text: "".join(map(_lower, text)) + "q" * 7, lambda number: number + 1_000_003, flag=True)


def upper_veil(value: Any) -> Any:
    """As `lower_veil`, and nowhere the same: so what is the same with both veils is not made of the secret."""
    return _veiled(value, lambda text: "".join(map(_upper, text)) + "M" * 19, lambda number: 3 * number + 17, flag=False)


VEILS: tuple[Veil, ...] = (lower_veil, upper_veil)


def _veiled(value: Any, text: Callable[[str], str], number: Callable[[Any], Any], *, flag: bool) -> Any:
    if isinstance(value, list):
        return [*(_veiled(item, text, number, flag=flag) for item in value), _OTHER]
    if isinstance(value, dict):
        return {**{key: _veiled(item, text, number, flag=flag) for key, item in value.items()}, _OTHER: text("")}
    if isinstance(value, bool):
        return flag
    if isinstance(value, str):
        return text(value)
    return value if value is None else number(value)


def _lower(character: str) -> str:
    """Round the alphabet, so that however often it is done the character does not come back soon."""
    at = ascii_lowercase.find(character.lower())
    return ascii_lowercase[(at + 1) % 26] if at >= 0 else "q"


def _upper(character: str) -> str:
    at = ascii_uppercase.find(character.upper())
    return ascii_uppercase[(at + 5) % 26] if at >= 0 else "M"
