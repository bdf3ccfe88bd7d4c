"""Queue outputs. The numbers are the sections of the facts about the real host that each test holds it to."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from localcloud.host.expressions import queue_name
from localcloud.host.newtonsoft import BadJson, parse, printed, to_string
from localcloud.host.outputs import OutputError, messages
from localcloud.host.protocol import (
    Bytes,
    Data,
    FunctionInfo,
    HttpTrigger,
    Json,
    Number,
    QueueTrigger,
    Response,
    Text,
    TimerTrigger,
    Trigger,
)
from localcloud.host.settings import HostSettings
from localcloud.host.storage import Storage
from tests.unit.localcloud_host.fake_host import FakeHost, http_function, queue_output
from tests.unit.localcloud_host.virtual_time import now, run

NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)


class TestMessages:
    """2.4"""

    @pytest.mark.parametrize("text", ["plain", "", '"quoted"', "{ not closed", "5", "null", "{}]"])
    def test_text_that_does_not_look_like_json_is_left_alone(self, text: str) -> None:
        """2.4: str not starting/ending {} / [] -> as is."""
        assert messages(Text(text)) == [text.encode()]

    def test_an_object_is_printed_anew(self) -> None:
        """2.4: JSON object str -> JToken.ToString() (2-space indent, \\n on Linux)."""
        assert messages(Text(' {"b":[1,{}],"a":"é/\\u00e9"} ')) == ['{\n  "b": [\n    1,\n    {}\n  ],\n  "a": "é/é"\n}'.encode()]

    @pytest.mark.parametrize(
        ("date", "again"),
        [
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
            ("2026-01-02T03:04:05.000Z", "2026-01-02T03:04:05Z"),
            ("2026-01-02T03:04:05.1200000Z", "2026-01-02T03:04:05.12Z"),
            ("2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05+00:00"),
            ("2026-01-02T03:04:05-0130", "2026-01-02T04:34:05+00:00"),
            ("2026-01-02T03:04:05", "2026-01-02T03:04:05"),
            ("2026-01-02", "2026-01-02"),
            ("2026-13-02T03:04:05Z", "2026-13-02T03:04:05Z"),
            ("2026-01-02T03:04:05.12345678Z", "2026-01-02T03:04:05.12345678Z"),
        ],
    )
    def test_iso_dates_are_written_anew(self, date: str, again: str) -> None:
        """2.4: ISO date strings parsed as dates and re-written."""
        assert messages(Text(f'{{"t":"{date}"}}')) == [f'{{\n  "t": "{again}"\n}}'.encode()]

    def test_an_array_is_split_into_its_elements(self) -> None:
        """2.4: JSON array str -> N messages (string elements verbatim, objects indented, null -> empty message)."""
        text = '["a", "{\\"x\\":1}", {"b":1}, null, 5, 1.50, true, "2026-01-02T03:04:05Z", [1]]'

        assert messages(Text(text)) == [
            b"a",
            b'{"x":1}',
            b'{\n  "b": 1\n}',
            b"",
            b"5",
            b"1.5",
            b"True",
            b"01/02/2026 03:04:05",
            b"[\n  1\n]",
        ]

    def test_an_empty_array_is_no_message(self) -> None:
        """2.4: JSON array str -> N messages."""
        assert messages(Text("[]")) == []

    @pytest.mark.parametrize("text", ["{x}", "[1 2]", '{"a": True}', "{'a': 1}}", '["a" "b"]', "{,}", '{"a": "\\x"}'])
    def test_what_looks_like_json_and_is_none_fails(self, text: str) -> None:
        """2.4: invalid JSON that looks like JSON -> exception -> function fails."""
        with pytest.raises(BadJson):
            messages(Text(text))

    def test_bytes_are_left_alone(self) -> None:
        """2.4: bytes -> as is."""
        assert messages(Bytes(b'[{"a":1}]\xff')) == [b'[{"a":1}]\xff']

    def test_a_list_of_strings_is_one_message_each_verbatim(self) -> None:
        """2.4: List[str] -> one message each, verbatim; 0.3: exact bytes survive with List[str] holding one string."""
        assert messages(Json('["{\\"a\\":1}", "2026-01-02T03:04:05.000Z"]')) == [b'{"a":1}', b"2026-01-02T03:04:05.000Z"]

    def test_a_queue_message_is_its_json(self) -> None:
        """2.4: func.QueueMessage -> body is the JSON {"id":..,"body":..} (indented), not the body."""
        assert messages(Json('{"id": null, "body": "x"}')) == [b'{\n  "id": null,\n  "body": "x"\n}']

    @pytest.mark.parametrize(("data", "message"), [(Number(7), b"7"), (Number(0.5), b"0.5"), (Json("true"), b"True"), (Json('"x"'), b"x")])
    def test_other_values_are_their_text(self, data: Data, message: bytes) -> None:
        assert messages(data) == [message]

    def test_an_http_response_is_no_message(self) -> None:
        with pytest.raises(OutputError, match="HTTP response"):
            messages(Response(200, [], b""))


class TestNewtonsoft:
    """The dialect of JSON in which the host reads and prints."""

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("{'a': 'it\\'s'}", {"a": "it's"}),
            ("{a: 1, $b: [1,], // rest\n}", {"a": 1, "$b": [1]}),
            ("/* first */ [NaN]", ["NaN"]),
            ("[-Infinity, undefined, .5]", ["-Infinity", None, 0.5]),
            ('{"a": 1, "a": 2}', {"a": 2}),
            ("['\\u00e9']", ["é"]),
        ],
    )
    def test_it_reads_more_than_json(self, text: str, value: Any) -> None:
        assert parse(re.sub("\\n$", "", printed(parse(text, dates=False))), dates=False) == value

    def test_a_nest_without_end_is_refused(self) -> None:
        with pytest.raises(BadJson, match="nested more than 64 deep"):
            parse("[" * 200 + "'" + "]" * 200, dates=False)

    @pytest.mark.parametrize(
        ("number", "in_json", "as_text"),
        [
            (1.0, "1.0", "1"),
            (100.0, "100.0", "100"),
            (0.0001, "0.0001", "0.0001"),
            (0.00001, "1E-05", "1E-05"),
            (1e15, "1E+15", "1E+15"),
            (123456789012345.0, "123456789012345.0", "123456789012345"),
            (1.2345678901234568e17, "1.2345678901234568E+17", "1.2345678901234568E+17"),
            (-2.5e-7, "-2.5E-07", "-2.5E-07"),
            (0.0, "0.0", "0"),
            (12, "12", "12"),
            (float("inf"), '"Infinity"', "Infinity"),
        ],
    )
    def test_numbers_are_dotnets(self, number: float, in_json: str, as_text: str) -> None:
        assert (printed(number), to_string(number)) == (in_json, as_text)

    def test_some_separators_are_escaped(self) -> None:
        assert printed("a\u2028\u0085é\x01/") == '"a\\u2028\\u0085é\\u0001/"'


def http(body: bytes = b"", **route: str) -> HttpTrigger:
    return HttpTrigger("GET", "", {"Day": "Monday", "code": "secret"}, {"x-own": "mine"}, route, body)


class TestQueueNames:
    """2.4: queue lower-cased, %X% and {binding} expressions resolved."""

    @pytest.mark.parametrize(
        ("pattern", "trigger", "name"),
        [
            ("Out", TimerTrigger("{}"), "out"),
            ("out-{Name}", http(name="A"), "out-a"),
            ("out-{day}", http(), "out-monday"),
            ("out-{query.day}-{headers.x-own}", http(), "out-monday-mine"),
            ("out-{b.c}-{day}", http(b'{"b": {"C": 5}, "day": "x"}'), "out-5-monday"),
            ("out-{dequeueCount}", QueueTrigger("", {"DequeueCount": ("json", "2")}), "out-2"),
            ("out-{own.a}", QueueTrigger("", {"own": ("json", '{"a":"x"}')}), "out-x"),
            ("out-{DateTime}", http(), "out-2026-11-22t12-30-00z"),
            ("{sys.MethodName}-{sys.utcnow}", http(), "f-2026-11-22t12:30:00z"),
        ],
    )
    def test_expressions_are_what_the_trigger_brought(self, pattern: str, trigger: Trigger, name: str) -> None:
        assert queue_name(pattern, "f", trigger, NOW) == name

    @pytest.mark.parametrize("expression", ["{rand-guid}", "{sys.randguid}"])
    def test_each_guid_is_another_one(self, expression: str) -> None:
        first, second = (queue_name(expression, "f", http(), NOW) for _ in range(2))

        assert first != second
        assert re.fullmatch(r"[0-9a-f-]{36}", first)

    @pytest.mark.parametrize(("name", "body"), [("absent", b""), ("code", b""), ("b.c", b'{"b": 1}'), ("b", b"{b"), ("b", b"[1]")])
    def test_what_the_trigger_did_not_bring_fails(self, name: str, body: bytes) -> None:
        with pytest.raises(OutputError, match=f"No value for named parameter '{name}'"):
            queue_name(f"out-{{{name}}}", "f", http(body), NOW)


START = http_function("start")


class TestInvocation:
    """What becomes of outputs around an invocation."""

    def test_no_output_is_written_when_the_function_raised(self) -> None:
        """0.7: if the function raises, no output is written at all."""
        host = FakeHost([queue_output(START, "out")], outputs={"out": Text("x")}, error="ValueError: on purpose")

        assert (host.get("/api/start").status_code, host.sent) == (500, [])

    def test_an_output_that_was_never_set_is_nothing(self) -> None:
        """2.4: Out never set or None -> nothing."""
        assert FakeHost([queue_output(START, "out")]).get("/api/start").status_code == 200

    def test_what_is_returned_goes_to_the_queue_that_is_bound_to_it(self) -> None:
        """2.4: $return."""
        function = FunctionInfo("start", START.bindings[:1])
        host = FakeHost([queue_output(function, "$return")], Text("x"))

        host.get("/api/start")

        assert host.sent == [("out", b"x")]

    def test_several_outputs_are_written_at_once_and_none_is_taken_back(self) -> None:
        """0.7: several outputs are written in parallel, nothing is atomic: duplicates and partial outputs are normal."""
        times: dict[str, float] = {}

        class Slow(FakeHost):
            async def send(self, connection: str, queue: str, body: bytes) -> None:
                await asyncio.sleep(1)
                if queue == "bad":
                    raise OSError("no such luck")
                times[queue + body.decode()] = now()

        function = queue_output(queue_output(queue_output(START, "a", "a"), "bad", "bad"), "b", "b")
        host = Slow([function], outputs={"a": Text('["1","2"]'), "bad": Text("x"), "b": Text("y")})

        assert host.get("/api/start").status_code == 500
        assert times == {"a1": 1.0, "by": 1.0, "a2": 2.0}

    def test_bad_json_fails_the_function(self) -> None:
        """2.4: exception -> function fails."""
        assert FakeHost([queue_output(START, "out")], outputs={"out": Text("{x}")}).get("/api/start").status_code == 500

    def test_a_binding_that_is_not_known_leaves_out_its_function(self) -> None:
        """4: that function errors at index, the rest start (AllowPartialHostStartup)."""
        blob = FunctionInfo("picky", [*START.bindings, {"type": "blob", "direction": "OUT", "name": "out", "path": "x"}])

        host = FakeHost([blob, START])

        assert host.table.broken["picky"].startswith(
            "The binding type(s) 'blob' are not registered. Please ensure the type is correct and the binding extension is installed."
        )
        assert host.get("/api/start").status_code == 200

    def test_an_output_without_a_connection_leaves_out_its_function(self) -> None:
        """4: connection."""
        host = FakeHost([queue_output(START, "out", connection="Absent")])

        assert "'Absent' is not set" in host.table.broken["start"]


class FakeClient:
    def __init__(self) -> None:
        self.sent: list[str] = []

    async def send(self, content: str) -> None:
        self.sent.append(content)


@pytest.mark.parametrize(("encoding", "content"), [(True, "w6k="), (False, "é")])
def test_messages_are_encoded_as_host_json_says_and_wake_a_listener(encoding: bool, content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """2.4: message stored with messageEncoding; 2.2: Notify."""
    from localcloud.host.settings import QueueOptions

    notified: list[str] = []
    client = FakeClient()
    storage = Storage(HostSettings(app=Path(), queues=QueueOptions(base64=encoding)), notified.append)
    monkeypatch.setattr(storage, "queue", lambda _connection, _name: client)

    run(storage.send("", "out", "é".encode()))

    assert (client.sent, notified) == ([content], ["out"])
