"""Lines and columns of a template, as ARM tells them of the copy that it has: here always the template as it is usually printed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from localcloud.arm.errors import ArmError

_ROOT = "properties.template."
_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")
_MARK = "\ue000"  # a character for private use, in the place of the value that is looked for


def placed(error: ArmError, source: Mapping[str, Any]) -> ArmError:
    """The same error with the line and column of the place that its path names, in its message and beside it."""
    infos = [extra["info"] for extra in error.extra.get("additionalInfo", ()) if extra.get("type") == "TemplateViolation"]
    path = infos[0]["path"] if infos else ""
    if not path.startswith(_ROOT) or (found := place(source, path.removeprefix(_ROOT))) is None:
        return error
    line, column = found
    message = error.message.replace("at line '1' and column '1'", f"at line '{line}' and column '{column}'")
    info = {"lineNumber": line, "linePosition": column, "path": path}
    extra = {**error.extra, "additionalInfo": [{"type": "TemplateViolation", "info": info}]}
    return ArmError(error.status, error.code, message, details=error.details, extra=extra, headers=error.headers)


def place(source: Any, path: str) -> tuple[int, int] | None:
    """Where the value begins, after its bracket as Newtonsoft counts: `parameters.name`, `resources[0].name`."""
    marked = _marked(source, [name or int(index) for name, index in _STEP.findall(path)])
    if marked is None:
        return None
    before = json.dumps(marked, indent=2, ensure_ascii=False).partition(f'"{_MARK}"')[0]
    return before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1


def _marked(value: Any, steps: list[str | int]) -> Any:
    """A copy of what is on the way, with the mark at its end; None if there is no such place."""
    if not steps:
        return _MARK
    step, *others = steps
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        inner = _marked(value[step], others)
        return None if inner is None else [*value[:step], inner, *value[step + 1 :]]
    if isinstance(value, Mapping) and step in value:
        inner = _marked(value[step], others)
        return None if inner is None else {key: inner if key == step else item for key, item in value.items()}
    return None
