"""The file that a command writes its outputs to, as `loadme.step` reads it."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadme.step import Log, OutputError, judge, parse_outputs, read_outputs

NAMES = st.sampled_from(["a", "B", "_", "rows", "___ROWS", "name2"])
TEXT = st.text(st.characters(blacklist_categories=["Cs"]))
ONE_LINE = TEXT.map(lambda text: text.replace("\n", " ").replace("\r", " "))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(NAMES, ONE_LINE))
def test_lines_give_back_what_was_written(outputs: dict[str, str]) -> None:
    assert parse_outputs("".join(f"{name}={value}\n" for name, value in outputs.items())) == outputs


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(NAMES, TEXT.filter(lambda text: "\r" not in text)))
def test_blocks_give_back_what_was_written(outputs: dict[str, str]) -> None:
    end = "END-that-no-value-has"
    text = "".join(f"{name}<<{end}\n{value}\n{end}\n" for name, value in outputs.items())

    assert parse_outputs(text) == outputs


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(NAMES, JSON), max_size=4), st.sampled_from([None, 2]))
def test_json_objects_keep_types_and_the_last_of_a_name_counts(objects: list[dict[str, Any]], indent: int | None) -> None:
    merged: dict[str, Any] = {}
    for one in objects:
        merged |= one

    assert parse_outputs("\n".join(json.dumps(one, indent=indent, ensure_ascii=False) for one in objects)) == merged


@settings(max_examples=60, deadline=None)
@given(TEXT)
def test_any_text_is_outputs_or_a_named_error(text: str) -> None:
    with contextlib.suppress(OutputError):
        assert isinstance(parse_outputs(text), dict)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a=1\nb\n", "line 2 of the output file: expected name=value, name<<END or a JSON object, found 'b'"),
        ("a = 1", "line 1 of the output file: expected name=value"),
        ("1a=1", "line 1 of the output file: expected name=value"),
        ("é=1", "line 1 of the output file: expected name=value"),
        ("\n\na<<E\nx\n", "line 3 of the output file: the block a<<E has no line that is E and nothing else"),
        ("a<<", "line 1 of the output file: a<< names no delimiter: write a<<END"),
        ('{"a": 1', "line 1 of the output file: not a JSON object"),
        ('x=1\n{"a": NaN}', "line 2 of the output file: not a JSON object: NaN is not JSON"),
        ("{" * 100_000, "line 1 of the output file: not a JSON object"),
        ('{"a": ' + "[" * 100_000, "line 1 of the output file: not a JSON object"),
        ('{"a":\n1} b=2', "line 2 of the output file: unexpected text after the JSON object: 'b=2'"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(OutputError) as caught:
        parse_outputs(text)

    assert str(caught.value).startswith(said)


def test_blocks_and_lines_stand_side_by_side_with_empty_ones() -> None:
    text = "a<<END\n\nx<<END\nEND \nEND\n \t\nb=<<\n\r\nc<<E\nE"

    assert parse_outputs(text) == {"a": "\nx<<END\nEND ", "b": "<<", "c": ""}


def test_a_file_that_nobody_wrote_holds_no_outputs(tmp_path: Path) -> None:
    assert read_outputs(tmp_path / "none") == {}


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    path = tmp_path / "outputs"
    path.write_bytes(b"\xef\xbb\xbfa=1\r\n")

    assert read_outputs(path) == {"a": "1"}


def test_bytes_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "outputs"
    path.write_bytes(b"a=\xff\n")

    with pytest.raises(OutputError, match="not UTF-8"):
        read_outputs(path)


def test_a_reported_failure_counts_whatever_the_exit_code(tmp_path: Path) -> None:
    (tmp_path / "outputs.failure").write_text('{"kind":"failed","message":"no data"}')

    outcome = judge(0, "", tmp_path / "outputs", ["last line"])

    assert outcome.error == {"kind": "failed", "message": "no data", "exit_code": 0, "log": ["last line"]}


def test_the_log_keeps_twenty_lines_and_four_kilobytes() -> None:
    log = Log()

    log.tail = "\n".join(f"line {number}" for number in range(100)).encode()

    assert log.lines() == [f"line {number}" for number in range(80, 100)]
