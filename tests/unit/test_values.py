from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadme.definitions.values import compact, conforms, normal, parse_as, type_of


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("string", ""),
        ("integer", 3),
        ("integer", 3.0),
        ("number", 3),
        ("number", 3.5),
        ("boolean", False),
        ("array", []),
        ("object", {}),
        (None, None),
        (None, {"a": [1, "x", None, True]}),
    ],
)
def test_a_value_of_its_type_conforms(declared: Any, value: Any) -> None:
    assert conforms(declared, value) is None


@pytest.mark.parametrize(
    ("declared", "value", "flaw"),
    [
        ("integer", True, "must be a whole number, not true"),
        ("number", False, "must be a number, not false"),
        ("integer", 3.5, "must be a whole number, not 3.5"),
        ("integer", "3", "must be a whole number, not '3'"),
        ("string", 3, "must be a string, not 3"),
        ("string", None, "must be a string, not null"),
        ("boolean", 0, "must be true or false, not 0"),
        ("boolean", "yes", "must be true or false, not 'yes'"),
        ("array", {}, "must be a list, not an object"),
        ("object", [], "must be an object, not a list"),
        ("number", float("nan"), "nan is not a finite number"),
        ("number", float("inf"), "inf is not a finite number"),
        ("integer", 2**63, "9223372036854775808 does not fit into 64 bits"),
        pytest.param("integer", 10**5000, "a huge number does not fit", id="huge"),
        ("string", "a\0", "NUL"),
        (None, {"a": ["\ud800"]}, "surrogate"),
        (None, {"\ud800": 1}, "surrogate"),
        (None, {1: 2}, "key that is not a string"),
        (None, {"a": {1, 2}}, "is not JSON: set"),
    ],
)
def test_a_flaw_is_named(declared: Any, value: Any, flaw: str) -> None:
    assert flaw in (conforms(declared, value) or "")


def test_depth_is_limited_to_twenty() -> None:
    def nested(depth: int) -> Any:
        return [nested(depth - 1)] if depth else 1

    assert conforms(None, nested(20)) is None
    assert "nested more than 20" in (conforms(None, nested(21)) or "")


@pytest.mark.parametrize(
    ("declared", "text", "value"),
    [
        ("integer", " 7 ", 7),
        ("integer", "-7", -7),
        ("number", "1e3", 1000.0),
        ("number", "3", 3.0),
        ("boolean", "TRUE", True),
        ("array", "[1]", [1]),
        ("object", "{}", {}),
        ("string", " 7 ", " 7 "),
        (None, "7", "7"),
    ],
)
def test_text_is_parsed_as_declared(declared: Any, text: str, value: Any) -> None:
    assert parse_as(declared, text) == value
    assert type(parse_as(declared, text)) is type(value)


@pytest.mark.parametrize(
    ("declared", "text"),
    [
        ("integer", "3.0"),
        ("integer", "1" * 30),
        ("integer", "٣"),
        ("number", "nan"),
        ("number", "1e999"),
        ("boolean", "1"),
        ("array", "{}"),
        ("object", "[" * 100_000),
        ("array", '["\\ud800"]'),
    ],
)
def test_text_that_is_not_of_the_type_is_refused(declared: Any, text: str) -> None:
    with pytest.raises(ValueError, match=r"must be|fit|finite"):
        parse_as(declared, text)


@given(
    st.lists(st.integers(-(2**63), 2**63 - 1))
    | st.dictionaries(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), st.booleans())
)
def test_what_is_written_as_text_is_parsed_back(value: Any) -> None:
    assert parse_as(type_of(value), compact(value)) == value


def test_numbers_take_their_declared_form() -> None:
    assert [type(normal("integer", 3.0)), type(normal("number", 3)), type(normal(None, 3))] == [int, float, int]
    assert normal("number", 2**53 + 1) == 2**53 + 1


@pytest.mark.parametrize(
    ("value", "where"),
    [({"files": [1, {"name": "x\0"}]}, "files[1].name"), ([[2**80]], "[0][0]"), ({"k" * 99: float("inf")}, "k" * 40)],
)
def test_a_flaw_inside_a_value_is_told_with_its_place(value: object, where: str) -> None:
    assert str(conforms(None, value)).endswith(f", at {where}")
