"""Route templates and the table of HTTP functions: ASP.NET's rules, in the order in which the real host tries them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

CONSTRAINT = r":(\w+)(?:\(((?:[^()]|\([^()]*\))*)\))?"
PARAMETER = re.compile(
    r"\{(?P<rest>\*{0,2})(?P<name>\w+)(?P<constraints>(?:"
    + CONSTRAINT.replace("(\\w+)", "\\w+")
    + r")*)(?:=(?P<default>[^?]*))?(?P<optional>\??)\}"
)
PIECE = re.compile(r"\{(?:\{\{|\}\}|[^{}])*\}|(?:\{\{|\}\}|[^{}])+")
SEGMENT = re.compile(r"(?:\{(?:\{\{|\}\}|[^{}])*\}|[^/{}])+")


def _is_guid(text: str) -> bool:
    return re.fullmatch(r"\{?[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}\}?", text) is not None


FLOAT = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
CONSTRAINTS: Mapping[str, Callable[[str, str], bool]] = {
    "int": lambda value, _: re.fullmatch(r"[+-]?\d{1,10}", value) is not None,
    "long": lambda value, _: re.fullmatch(r"[+-]?\d{1,19}", value) is not None,
    "bool": lambda value, _: value.lower() in {"true", "false"},
    "alpha": lambda value, _: re.fullmatch(r"[A-Za-z]*", value) is not None,
    "guid": lambda value, _: _is_guid(value),
    "length": lambda value, limits: _within(len(value), limits, exact=True),
    "minlength": lambda value, limit: len(value) >= int(limit),
    "maxlength": lambda value, limit: len(value) <= int(limit),
    "min": lambda value, limit: _is_whole(value) and int(value) >= int(limit),
    "max": lambda value, limit: _is_whole(value) and int(value) <= int(limit),
    "range": lambda value, limits: _is_whole(value) and _within(int(value), limits),
    "decimal": lambda value, _: re.fullmatch(r"[+-]?[\d,]*\.?\d+", value) is not None,
    "double": lambda value, _: re.fullmatch(FLOAT, value) is not None,
    "float": lambda value, _: re.fullmatch(FLOAT, value) is not None,
    "datetime": lambda value, _: re.match(r"\d{4}-\d{1,2}-\d{1,2}|\d{1,2}/\d{1,2}/\d{4}", value) is not None,
    "required": lambda value, _: bool(value),
    "regex": lambda value, pattern: re.search(pattern, value, re.IGNORECASE) is not None,
}


NUMBER = r"\s*[+-]?[0-9]{1,19}\s*"
ARGUMENTS: Mapping[str, str] = {
    **dict.fromkeys(CONSTRAINTS, ""),
    **dict.fromkeys(("min", "max", "minlength", "maxlength"), NUMBER),
    "length": f"{NUMBER}(?:,{NUMBER})?",
    "range": f"{NUMBER},{NUMBER}",
    "regex": "(?s:.*)",
}
"""What stands in the brackets of each."""


def _is_whole(text: str) -> bool:
    return re.fullmatch("[+-]?[0-9]{1,19}", text) is not None


def _within(number: int, limits: str, *, exact: bool = False) -> bool:
    low, _, high = limits.partition(",")
    return int(low) <= number <= int(high or (low if exact else number))


@dataclass(frozen=True)
class Template:
    """A compiled route: literals match whatever their case, `{name}` matches one segment, `{*name}` the rest."""

    pattern: re.Pattern[str]
    constraints: tuple[tuple[str, str, str], ...]
    defaults: Mapping[str, str]

    def match(self, path: str) -> dict[str, str] | None:
        """The parameters that are present, URL-decoded; None when the path is another one."""
        found = self.pattern.fullmatch(path.strip("/"))
        if not found:
            return None
        values = {name: unquote(value) for name, value in found.groupdict().items() if value}
        values = {**{name: value for name, value in self.defaults.items() if name not in values}, **values}
        fits = all(CONSTRAINTS[kind](values[name], argument) for name, kind, argument in self.constraints if name in values)
        return values if fits else None


def compile_template(route: str) -> Template:
    """The template of a route such as `runs/{run}/steps/{step?}`; raises ValueError for one that makes no sense."""
    constraints: list[tuple[str, str, str]] = []
    defaults: dict[str, str] = {}
    names: set[str] = set()
    pattern = ""
    segments = SEGMENT.findall(route)
    if "/".join(segments) != route:
        raise ValueError(f"the route {route} is not understood: it has a brace or a slash too many")
    for number, segment in enumerate(segments):
        piece, may_be_absent = _segment(segment, names, constraints, defaults)
        slash = "/" if number else ""
        pattern += f"(?:{slash}{piece})?" if may_be_absent else slash + piece
    return Template(re.compile(pattern, re.IGNORECASE), tuple(constraints), defaults)


def _segment(segment: str, names: set[str], constraints: list[tuple[str, str, str]], defaults: dict[str, str]) -> tuple[str, bool]:
    pieces = ""
    may_be_absent = False
    for part in PIECE.findall(segment):
        found = PARAMETER.fullmatch(part)
        if part.startswith("{") and not found:
            raise ValueError(f"route parameter {part} is not understood")
        if not found:
            pieces += re.escape(part)
            continue
        name = found["name"]
        if not name.isidentifier():
            raise ValueError(f"route parameter {part} is not understood: its name must be that of a Python variable")
        if name.lower() in names:
            raise ValueError(f"route parameter {part} has a name that is there already")
        names.add(name.lower())
        pieces += f"(?P<{name}>.*)" if found["rest"] else f"(?P<{name}>[^/]+)"
        constraints.extend((name, *constraint) for constraint in _constraints(found["constraints"]))
        if found["default"] is not None:
            defaults[name] = found["default"]
        may_be_absent = bool(found["rest"] or found["optional"] or found["default"] is not None)
    return pieces, may_be_absent


def _constraints(text: str) -> Iterable[tuple[str, str]]:
    for kind, argument in re.findall(CONSTRAINT, text):
        if kind.lower() not in CONSTRAINTS:
            raise ValueError(f"route constraint {kind} is not known")
        yield kind.lower(), _checked(kind.lower(), argument.replace("{{", "{").replace("}}", "}"))


def _checked(kind: str, argument: str) -> str:
    if not re.fullmatch(ARGUMENTS[kind], argument):
        raise ValueError(f"route constraint {kind} does not take ({argument})")
    try:
        re.compile(argument if kind == "regex" else "")
    except re.error as error:
        raise ValueError(f"route constraint regex does not take ({argument}): {error}") from None
    return argument


@dataclass(frozen=True)
class HttpRoute:
    """An HTTP function: where it listens, for which methods (none: all), and who may call it."""

    function: str
    route: str
    template: Template
    methods: frozenset[str]
    auth_level: str

    def conflicts_with(self, other: HttpRoute) -> bool:
        """Whether both claim the same requests."""
        both = not self.methods or not other.methods or bool(self.methods & other.methods)
        return both and self.route.lower() == other.route.lower()


def find(routes: Iterable[HttpRoute], method: str, path: str) -> tuple[HttpRoute, dict[str, str]] | None:
    """The first route that takes this request, in the order given: there is no ranking by how specific a route is.

    A method that a route does not take makes it no match at all: the caller answers 404, never 405.
    """
    for route in routes:
        if (not route.methods or method in route.methods) and (parameters := route.template.match(path)) is not None:
            return route, parameters
    return None
