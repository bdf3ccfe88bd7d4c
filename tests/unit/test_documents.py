from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from loadme.definitions.documents import MOST_BYTES, Unreadable, read_json, read_yaml


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("2024-01-01", "2024-01-01"),
        ("1:30", "1:30"),
        ("0123", "0123"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-7", -7),
        ("1.10", 1.1),
        ("'1'", "1"),
        (".inf", ".inf"),
        ("true", True),
        ("~", None),
        ("|\n 1\n", "1\n"),
        ("1.", "1."),
    ],
)
def test_a_scalar_is_what_it_looks_like(text: str, expected: Any) -> None:
    value = read_yaml(f"x: {text}")["x"]

    assert value == expected
    assert type(value) is type(expected)


def test_keys_are_always_text() -> None:
    assert read_yaml("on: 1\nyes: 2\n3: x\ntrue: y\nnull: z") == {"on": 1, "yes": 2, "3": "x", "true": "y", "null": "z"}


def test_an_alias_stands_for_its_anchor() -> None:
    assert read_yaml("a: &x {k: [1]}\nb: *x") == {"a": {"k": [1]}, "b": {"k": [1]}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('a: "\\0"', "NUL"),
        ("a: 18446744073709551616", "64 bits"),
        ("a: 1\na: 2", "line 2, column 1: the key `a` stands here twice"),
        ("a: !!str 1", "tag"),
        ("a: {<<: {b: 1}}", "merge keys"),
        ("? [a]\n: 1", "a key must be plain text"),
        ("a: *x", "anchor|alias"),
        ("a: &x [*x]", "anchor|alias"),
        ("a: [1", "line "),
        ("a:\n\t- b", "indent with spaces"),
        ("a: 1\n---\nb: 1", "more than one document"),
        ("a: '\x01'", "control characters|special characters"),
        ("a: '\ud800'", "Unicode"),
        ("[" * 5000, "nested more than 20"),
        ("a: " + "x" * MOST_BYTES, "too large"),
    ],
)
def test_what_is_no_honest_yaml_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(Unreadable, match=message):
        read_yaml(text)


def test_an_alias_bomb_is_refused_before_it_is_built() -> None:
    lines = ["a0: &a0 [" + "x," * 9 + "]"] + [f"a{i}: &a{i} [" + f"*a{i - 1}," * 9 + "]" for i in range(1, 12)]
    with pytest.raises(Unreadable, match="more than 50000 values"):
        read_yaml("\n".join(lines))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "a": 2}', "`a` stands twice"),
        ('{"a": }', "line 1, column 7"),
        ('{"a": NaN}', "NaN is not JSON"),
        ('{"a": 1e999}', "finite"),
        ('{"a": "\\ud800"}', "surrogate"),
        ('{"a": "\\u0000"}', "NUL"),
        ('{"a": ' + "1" * 5000 + "}", "64 bits"),
        ("[" * 100_000, "nested more than 20|Expecting value"),
        ("[" * 30 + "]" * 30, "nested more than 20"),
    ],
)
def test_what_is_no_honest_json_is_refused(text: str, message: str) -> None:
    with pytest.raises(Unreadable, match=message):
        read_json(text)


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp", "Cn", "Co"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdefgh", min_size=1), inner, max_size=4),
    max_leaves=12,
)


@given(plain)
def test_json_is_read_back(value: Any) -> None:
    assert read_json(json.dumps(value)) == value


@given(plain)
def test_yaml_that_a_library_wrote_is_read_back(value: Any) -> None:
    class NoAliases(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    NoAliases.add_representer(float, lambda dumper, number: dumper.represent_scalar("tag:yaml.org,2002:float", repr(number)))
    text = yaml.dump(value, Dumper=NoAliases, allow_unicode=True, default_style=None)
    if "!!" not in text:
        assert read_yaml(text) == value


@given(st.text(alphabet="ab:-[]{}&*!|>'\"#, \n\t1?%@`"))
def test_no_text_whatever_raises_anything_else(text: str) -> None:
    for read in (read_yaml, read_json):
        with contextlib.suppress(Unreadable):
            read(text)


def test_an_expression_that_yaml_takes_for_a_mapping_is_to_be_put_in_quotes() -> None:
    with pytest.raises(Unreadable, match=r"line 2, column .*put the whole text in quotes"):
        read_yaml("name: x\nif: ${{ index > 0 ? true : false }}\n")
    with pytest.raises(Unreadable) as without:
        read_yaml("name: x: y\n")
    assert "quotes" not in str(without.value)
