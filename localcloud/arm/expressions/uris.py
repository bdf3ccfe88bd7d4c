"""URIs and data URIs."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

from localcloud.arm.expressions.catalog import Catalog
from localcloud.arm.expressions.encoding import decoded, to_base64
from localcloud.arm.expressions.jsons import load_of
from localcloud.arm.expressions.values import ExpressionError, find_key, general_usage, is_of, not_valid, text, utf8

URIS = Catalog()
URIS.function("uriComponentToString", "string")(unquote)

# Recorded: a parameter other than the charset makes it no data URI.
_DATA_URI = re.compile(
    r"data:(?P<type>[^,;]*)(?:;charset=(?P<charset>[^,;]*))?(?P<base64>;base64)?,(?P<data>.*)", re.DOTALL | re.IGNORECASE
)
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_CHARSETS = {"", "utf8", "utf-8", "us-ascii", "ascii"}


@URIS.function("uri", "string", "string")
def absolute_uri(base: str, relative: str) -> str:
    """As RFC 3986 resolves: documented."""
    if not _ABSOLUTE.match(base):
        raise ExpressionError(
            "The template language function 'uri' expects its first argument to be a uri string. The provided value is '{}'. "
            "Please see https://aka.ms/arm-function-datauri for usage details.",
            base,
        )
    try:
        return _canonical(urljoin(base, relative))
    except ValueError:
        raise not_valid("uri", "The value cannot be converted to the target type.") from None


def _canonical(uri: str) -> str:
    """Scheme and host in lower case and a path of at least `/`, as .NET's Uri has it."""
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return uri
    host = re.match(r"[^/?#]*", rest)
    end = host.end() if host else 0
    path = rest[end:]
    return f"{scheme.lower()}://{rest[:end].lower()}{path if path.startswith('/') else '/' + path}"


@URIS.function("uriComponent", "string")
def uri_component(value: str) -> str:
    return quote(utf8(value), safe="")


@URIS.function("dataUri", "any", walks=True)
def data_uri(value: Any) -> str:
    """Recorded: a string is text, anything else JSON. The charset is the genuine engine's of 2026; the documentation still says utf8."""
    kind = "text/plain" if isinstance(value, str) else "application/json"
    return f"data:{kind};charset=utf-8;base64,{to_base64(text(value) if is_of(value, 'string|int|float') else _json(value))}"


def _json(value: Any) -> str:
    return text(value).lower() if isinstance(value, bool) else "null" if value is None else text(value)


@URIS.function("dataUriToString", "string", expects="language function 'dataUriToString' expects its parameter to be a string")
def from_data_uri(value: str) -> Any:
    match = _DATA_URI.fullmatch(value)
    if match is None:
        raise ExpressionError(
            "The template language function 'dataUriToString' expects its parameter to be formatted as a valid data URI. "
            "The provided value '{}' was not formatted correctly. " + general_usage("dataUriToString"),
            value,
        )
    _check_charset(match["charset"] or "")
    problem = not_valid("dataUriToString", "The value cannot be converted to the target type.")
    data = decoded(match["data"], problem) if match["base64"] else unquote(match["data"])
    # Recorded: JSON comes back as what it says.
    return load_of("dataUriToString", data) if match["type"].lower() == "application/json" else data


def _check_charset(charset: str) -> None:
    if charset.lower() not in _CHARSETS:
        raise ExpressionError(
            "The template language function 'dataUriToString' parameter is not valid. The provided charset '{}' is not supported. "
            + general_usage("dataUriToString"),
            charset,
        )


@URIS.function("parseUri", "string")
def parse_uri(value: str) -> dict[str, Any]:
    """The parts by the names that Bicep documents: scheme, host, port, path, query."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if not parts.scheme or not parts.hostname:
        raise not_valid("parseUri", "The value is not an absolute URI.")
    found = {"scheme": parts.scheme, "host": parts.hostname, "port": port, "path": parts.path or "/"}
    return {**{key: item for key, item in found.items() if item is not None}, **({"query": f"?{parts.query}"} if parts.query else {})}


@URIS.function("buildUri", "object")
def build_uri(parts: dict[str, Any]) -> str:
    given = {name: parts.get(find_key(parts, name) or "") for name in ("scheme", "host", "port", "path", "query")}
    if not isinstance(given["scheme"], str) or not isinstance(given["host"], str):
        raise not_valid("buildUri", "The components must have a scheme and a host.")
    port = f":{given['port']}" if is_of(given["port"], "int") else ""
    path, query = text(given["path"]), text(given["query"]).removeprefix("?")
    return f"{given['scheme']}://{given['host']}{port}/{path.removeprefix('/')}{'?' if query else ''}{query}"
