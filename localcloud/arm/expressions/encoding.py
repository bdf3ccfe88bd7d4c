"""base64, URIs, data URIs, epochs and hashes."""

from __future__ import annotations

import base64
import binascii
import json
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote, urljoin

from localcloud.arm.expressions.catalog import Catalog
from localcloud.arm.expressions.hashing import guid, unique_string
from localcloud.arm.expressions.values import ExpressionError, not_valid

ENCODING = Catalog()
ENCODING.function("uniqueString", "string", rest="string")(unique_string)
ENCODING.function("guid", "string", rest="string")(guid)
ENCODING.function("uriComponentToString", "string")(unquote)

_DATA_URI = re.compile(r"data:(?P<type>[^,]*?)(?P<base64>;base64)?,(?P<data>.*)", re.DOTALL)


@ENCODING.function("base64", "string")
def to_base64(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


@ENCODING.function("base64ToString", "string")
def from_base64(value: str) -> str:
    return _decoded(value, not_valid("base64ToString", "The value cannot be decoded from base64 representation."))


@ENCODING.function("base64ToJson", "string")
def json_from_base64(value: str) -> Any:
    problem = not_valid("base64ToJson", "The value cannot be converted to the target type.")
    try:
        return json.loads(_decoded(value, problem))
    except ValueError:
        raise problem from None


def _decoded(value: str, problem: ExpressionError) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise problem from None


@ENCODING.function("uri", "string", "string")
def absolute_uri(base: str, relative: str) -> str:
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", base):
        raise ExpressionError(
            f"The template language function 'uri' expects its first argument to be a uri string. The provided value is '{base}'. "
            "Please see https://aka.ms/arm-function-datauri for usage details."
        )
    return urljoin(base, relative)


@ENCODING.function("uriComponent", "string")
def uri_component(value: str) -> str:
    return quote(value, safe="")


@ENCODING.function("dataUri", "string")
def data_uri(value: str) -> str:
    return "data:text/plain;charset=utf8;base64," + to_base64(value)


@ENCODING.function("dataUriToString", "string")
def from_data_uri(value: str) -> str:
    match = _DATA_URI.fullmatch(value)
    if match is None:
        raise ExpressionError(
            f"The template language function 'dataUriToString' expects its parameter to be formatted as a valid data URI. "
            f"The provided value '{value}' was not formatted correctly. "
            "Please see https://aka.ms/arm-functions#dataUriToString for usage details."
        )
    if not match["base64"]:
        return unquote(match["data"])
    return _decoded(match["data"], not_valid("dataUriToString", "The value cannot be converted to the target type."))


@ENCODING.function("dateTimeFromEpoch", "int")
def from_epoch(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@ENCODING.function("dateTimeToEpoch", "string")
def to_epoch(moment: str) -> int:
    try:
        parsed = datetime.fromisoformat(moment)
    except ValueError:
        raise not_valid("dateTimeToEpoch", f"'{moment}' is not an ISO 8601 date and time.") from None
    return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp())
