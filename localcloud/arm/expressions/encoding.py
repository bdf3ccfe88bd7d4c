"""base64 and hashes."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from localcloud.arm.expressions.catalog import Catalog
from localcloud.arm.expressions.hashing import guid, unique_string
from localcloud.arm.expressions.jsons import load_of
from localcloud.arm.expressions.values import ExpressionError, not_valid, text, utf8

ENCODING = Catalog()


@ENCODING.function("uniqueString", "string|int|bool", rest="string|int|bool")
def unique(*parts: Any) -> str:
    return unique_string(*map(text, parts))


@ENCODING.function("guid", "string|int|bool", rest="string|int|bool")
def stable_guid(*parts: Any) -> str:
    return guid(*map(text, parts))


@ENCODING.function("base64", "string")
def to_base64(value: str) -> str:
    return base64.b64encode(utf8(value)).decode()


@ENCODING.function("base64ToString", "string", expects="language function 'base64ToString' expects its parameter to be a string")
def from_base64(value: str) -> str:
    return decoded(value, not_valid("base64ToString", "The value cannot be decoded from base64 representation."))


@ENCODING.function("base64ToJson", "string")
def json_from_base64(value: str) -> Any:
    return load_of("base64ToJson", decoded(value, not_valid("base64ToJson", "The value cannot be converted to the target type.")))


def decoded(value: str, problem: ExpressionError) -> str:
    """Blanks are passed over, and bytes that are no UTF-8 become the replacement character, as in .NET."""
    try:
        return base64.b64decode("".join(value.split()), validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):
        raise problem from None
