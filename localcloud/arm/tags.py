"""Tags: what a resource, a resource group or a deployment may have of them."""

from __future__ import annotations

import re
from typing import Any

from localcloud.arm.errors import bad_request
from localcloud.arm.reading import as_object, as_text

_MOST, _LONGEST_NAME, _LONGEST_VALUE = 50, 512, 256
_RESERVED = re.compile(r"[<>%&\\?/\x00-\x1f\x7f]")
_LONGER = "exceeded the maximum length. Maximum allowed length for tag"


def read_tags(given: Any) -> dict[str, str]:
    """The tags of a body, checked. Raises a 400."""
    tags = {name: as_text(value, f"tags.{name}") for name, value in as_object(given, "tags").items()}
    if len(tags) > _MOST:
        # The local cloud's own words: Azure's are not known.
        raise bad_request("InvalidTagCount", f"There are {len(tags)} tags. Maximum allowed number of tags - '{_MOST}'.")
    if wrong := [name for name in tags if _RESERVED.search(name)]:
        message = f"The tag names '{', '.join(wrong)}' have reserved characters '<,>,%,&,\\,?,/' or control characters."
        raise bad_request("InvalidTagNameCharacters", message)
    if wrong := [name for name in tags if not name.strip() or len(name) > _LONGEST_NAME]:
        raise bad_request(
            "InvalidTagName", f"Tag key too large. Following tag key '{wrong[0]}' {_LONGER} key - '{_LONGEST_NAME}' characters."
        )
    if wrong := [value for value in tags.values() if len(value) > _LONGEST_VALUE]:
        message = f"Tag value too large. Following tag value '{wrong[0]}' {_LONGER} value - '{_LONGEST_VALUE}' characters."
        raise bad_request("InvalidTagValueLength", message)
    if len({name.lower() for name in tags}) < len(tags):
        # The local cloud's own words: Azure's are not known.
        raise bad_request("DuplicateTagNames", "The names of tags are unique whatever their case.")
    return tags
