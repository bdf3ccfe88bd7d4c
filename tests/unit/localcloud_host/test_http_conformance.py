"""HTTP functions, request by request. The numbers are the sections of the facts about the real host that each test holds it to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from localcloud.host.protocol import Bytes, Data, Json, Number, Response, Text
from localcloud.host.settings import HttpOptions
from tests.unit.localcloud_host.fake_host import KEYS, OK, FakeHost, http_function, queue_output
from tests.unit.localcloud_host.virtual_time import run

ONE = [http_function("start")]


class TestRouting:
    """1.1"""

    def test_the_route_begins_with_the_prefix(self) -> None:
        """1.1: template = routePrefix + "/" + route; default prefix api; no route -> function name."""
        host = FakeHost(ONE)

        assert (host.get("/api/start").status_code, host.get("/start").status_code) == (200, 404)

    def test_without_a_prefix_the_route_stands_alone(self) -> None:
        """1.1: prefix empty -> route alone."""
        host = FakeHost(ONE, options={"http": HttpOptions(route_prefix="")})

        assert (host.get("/api/start").status_code, host.get("/start").status_code) == (404, 200)

    def test_literals_match_whatever_their_case_and_a_last_slash_does_not_count(self) -> None:
        """1.1: literals case-insensitive; trailing slash ignored."""
        assert FakeHost(ONE).get("/API/Start/").status_code == 200

    def test_the_order_is_that_of_the_names_and_the_first_match_wins(self) -> None:
        """1.1: OrderBy(f => f.Name, OrdinalIgnoreCase): first match in list order wins, there is no "most specific" ranking."""
        host = FakeHost([http_function("b", "runs/exact"), http_function("A", "runs/{any}")])

        host.get("/api/runs/exact")

        assert host.triggers[0][0] == "A"

    @pytest.mark.parametrize(("method", "status"), [("GET", 200), ("POST", 404), ("HEAD", 404)])
    def test_a_method_is_a_constraint(self, method: str, status: int) -> None:
        """1.1: methods is a route constraint: mismatch = no match = 404."""
        assert FakeHost([http_function("start", None, "GET")]).request(method, "/api/start").status_code == status

    @pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "OPTIONS"])
    def test_without_methods_all_are_taken(self, method: str) -> None:
        """1.1: methods absent = all methods."""
        assert FakeHost(ONE).request(method, "/api/start").status_code == 200

    @pytest.mark.parametrize("route", ["admin/x", "ADMIN", "runtime/x", "administration"])
    def test_the_hosts_own_words_are_refused_and_the_other_functions_start(self, route: str) -> None:
        """1.1: routes starting with admin or runtime are refused: that function errors, the others start."""
        host = FakeHost([*ONE, http_function("bad", route)])

        assert host.table.broken == {"bad": "The specified route conflicts with one or more built in routes."}
        assert host.get("/api/start").status_code == 200

    @pytest.mark.parametrize("route", ["runs/{1st}", "{a}/{a}", "{id:length(a)}", "{id:min()}", "{id:regex([)}"])
    def test_a_route_that_makes_no_sense_leaves_out_its_function_alone(self, route: str) -> None:
        """1.1: that function errors, the others start."""
        host = FakeHost([*ONE, http_function("bad", route)])

        assert list(host.table.broken) == ["bad"]
        assert host.get("/api/start").status_code == 200

    def test_the_same_route_with_a_common_method_is_refused(self) -> None:
        """1.1: same route + intersecting methods refused."""
        functions = [http_function("a", "x", "GET", "POST"), http_function("b", "/X/", "POST"), http_function("c", "x", "PUT")]

        host = FakeHost(functions)

        assert host.table.broken == {"b": "The route specified conflicts with the route defined by function 'a'."}
        assert host.request("PUT", "/api/x").status_code == 200

    @pytest.mark.parametrize(("disable", "status"), [("", 200), ("true", 204)])
    def test_the_homepage(self, disable: str, status: int) -> None:
        """1.1: unmatched: / = homepage HTML 200 (204 with AzureWebJobsDisableHomepage=true)."""
        answer = FakeHost(ONE, environment={"AzureWebJobsDisableHomepage": disable}).get("/")

        assert answer.status_code == status
        assert ("<!doctype html>" in answer.text) is (status == 200)

    def test_anything_else_is_a_404_without_a_body(self) -> None:
        """1.1: anything else 404 empty."""
        answer = FakeHost(ONE).get("/api/unknown")

        assert (answer.status_code, answer.content) == (404, b"")

    @pytest.mark.parametrize(
        ("path", "route"), [("/api/s/a", {"x": "a"}), ("/api/s/a/7", {"x": "a", "page": "7"}), ("/api/s/a%20b", {"x": "a b"})]
    )
    def test_an_optional_parameter_that_is_absent_is_not_there(self, path: str, route: dict[str, str]) -> None:
        """1.1: optional route parameter absent -> not in req.route_params; values URL-decoded."""
        host = FakeHost([http_function("start", "s/{x}/{page:int?}")])

        assert host.get(path).status_code == 200
        assert host.seen.route == route

    def test_a_wrong_route_template_leaves_out_its_function(self) -> None:
        """1.1: that function errors, the others start."""
        assert set(FakeHost([*ONE, http_function("bad", "x/{y:unheard}")]).table.broken) == {"bad"}


ALL_KEYS = {"none": None, "wrong": "wrong", "function": "the-function", "host": "the-host", "system": "the-system", "master": "the-master"}
OPENED_BY = {"ANONYMOUS": set(ALL_KEYS), "FUNCTION": {"function", "host", "master"}, "ADMIN": {"master"}}


class TestKeys:
    """1.2"""

    @pytest.mark.parametrize("kind", list(ALL_KEYS))
    @pytest.mark.parametrize("level", list(OPENED_BY))
    def test_who_may_call(self, level: str, kind: str) -> None:
        """1.2: anonymous: always passes; function: Function or Admin level, not a system key; admin: only master; else 401, empty."""
        key = ALL_KEYS[kind]
        headers = {"x-functions-key": key} if key else {}

        answer = FakeHost([http_function("start", level=level)]).get("/api/start", **headers)

        assert (answer.status_code == 200) is (kind in OPENED_BY[level])
        if answer.status_code != 200:
            assert (answer.status_code, answer.content, "www-authenticate" in answer.headers) == (401, b"", False)

    def test_the_key_may_be_in_the_query(self) -> None:
        """1.2: else query `code`."""
        host = FakeHost([http_function("start", level="FUNCTION")])

        assert host.get("/api/start?code=the-function").status_code == 200

    @pytest.mark.parametrize(("query", "status"), [("Code=the-host", 200), ("CODE=the-host&code=x", 200), ("code=x&Code=the-host", 401)])
    def test_the_first_key_of_the_query_counts_whatever_the_case_of_its_name(self, query: str, status: int) -> None:
        """1.2: else query `code`. (ASP.NET's query collection ignores case.)"""
        assert FakeHost([http_function("start", level="FUNCTION")]).get(f"/api/start?{query}").status_code == status

    @pytest.mark.parametrize(("header", "status"), [("", 401), ("wrong", 401), ("the-function", 200)])
    def test_a_header_that_is_there_counts_even_when_it_is_empty(self, header: str, status: int) -> None:
        """1.2: first value of header x-functions-key if that header is present (even empty)."""
        host = FakeHost([http_function("start", level="FUNCTION")])

        assert host.get("/api/start?code=the-host", **{"x-functions-key": header}).status_code == status

    def test_a_functions_own_key_opens_no_other(self) -> None:
        """1.2: this function's key -> Function."""
        host = FakeHost([http_function("other", level="FUNCTION")])

        assert host.get("/api/other", **{"x-functions-key": "the-function"}).status_code == 401

    def test_the_default_level_is_function(self) -> None:
        """1.2: Python default level is FUNCTION."""
        host = FakeHost([http_function("start", level="")])

        assert host.get("/api/start").status_code == 401

    @pytest.mark.parametrize("name", ["AzureWebJobs.start.Disabled", "AzureWebJobs_start_Disabled"])
    @pytest.mark.parametrize(("value", "key", "status"), [("1", "", 404), ("TRUE", "", 404), ("true", "the-master", 200), ("no", "", 200)])
    def test_a_disabled_function_is_there_for_the_master_key_alone(self, name: str, value: str, key: str, status: int) -> None:
        """1.2: disabled function (AzureWebJobs.<name>.Disabled or AzureWebJobs_<name>_Disabled = 1|true) -> 404 unless master key."""
        assert FakeHost(ONE, environment={name: value}).get("/api/start", **{"x-functions-key": key}).status_code == status

    def test_authorization_comes_before_disabled(self) -> None:
        """1.2: order: route match -> authorize -> disabled? -> run."""
        host = FakeHost([http_function("start", level="FUNCTION")], environment={"AzureWebJobs.start.Disabled": "1"})

        assert host.get("/api/start").status_code == 401
        assert host.get("/api/start", **{"x-functions-key": "the-host"}).status_code == 404


class TestRequests:
    """1.3"""

    def test_the_url_is_as_it_was_sent_with_its_key(self) -> None:
        """1.3: url = scheme://Host + path + raw query, includes code."""
        host = FakeHost(ONE)

        host.get("/api/start?code=abc&x=%20y")

        assert host.seen.url == "http://127.0.0.1:7071/api/start?code=abc&x=%20y"

    def test_query_values_of_one_name_are_joined(self) -> None:
        """1.3: params: one entry per key, repeated keys joined with `,`."""
        host = FakeHost(ONE)

        host.get("/api/start?a=1&b=2&a=3")

        assert host.seen.query == {"a": "1,3", "b": "2"}

    @pytest.mark.parametrize(("query", "seen"), [("A=1&a=2&B=3", {"A": "1,2", "B": "3"}), ("a=&A=1&a=2", {"a": "1,2"}), ("x=&X=", {})])
    def test_names_that_differ_by_case_alone_are_one(self, query: str, seen: dict[str, str]) -> None:
        """1.3: same-name values comma-joined. (ASP.NET's query collection ignores case, and keeps the name that came first.)"""
        host = FakeHost(ONE)

        host.get(f"/api/start?{query}")

        assert host.seen.query == seen

    def test_empty_query_values_are_dropped(self) -> None:
        """1.3: empty values dropped."""
        host = FakeHost(ONE)

        host.get("/api/start?a=&b&c=1")

        assert host.seen.query == {"c": "1"}

    def test_the_key_is_a_parameter_too(self) -> None:
        """1.2: `code` stays in req.url and req.params."""
        host = FakeHost(ONE)

        host.get("/api/start?code=abc")

        assert host.seen.query == {"code": "abc"}

    def test_header_names_are_in_lower_case_and_repeats_joined(self) -> None:
        """1.3: headers: keys lower-cased, repeats joined with `,` (empty values kept)."""
        host = FakeHost(ONE)

        host.request("GET", "/api/start", headers=[("X-Mixed", "1"), ("x-mixed", "2"), ("X-Empty", "")])

        assert (host.seen.headers["x-mixed"], host.seen.headers["x-empty"]) == ("1,2", "")

    def test_a_body_is_bytes(self) -> None:
        """1.3: body: always bytes."""
        host = FakeHost(ONE)

        host.request("POST", "/api/start", content=b"\xff\x00")

        assert host.seen.body == b"\xff\x00"

    def test_without_a_body_it_is_empty(self) -> None:
        """1.3: none -> b""."""
        host = FakeHost(ONE)

        host.request("POST", "/api/start")

        assert host.seen.body == b""

    def test_a_chunked_body_arrives_empty(self) -> None:
        """0.8: chunked request bodies (no Content-Length) arrive empty."""

        async def chunks() -> AsyncIterator[bytes]:
            yield b"some"
            yield b"thing"

        host = FakeHost(ONE)
        host.request("POST", "/api/start", content=chunks())

        assert host.seen.body == b""

    @pytest.mark.parametrize(("size", "status"), [(10, 200), (11, 413)])
    def test_too_large_a_body_is_refused(self, size: int, status: int) -> None:
        """1.3: FUNCTIONS_REQUEST_BODY_SIZE_LIMIT. (413 rather than 500: which of them Azure gives is not sure.)"""
        assert FakeHost(ONE, options={"body_limit": 10}).request("POST", "/api/start", content=b"x" * size).status_code == status

    def test_the_method_is_as_it_was_sent(self) -> None:
        """1.3: method as sent."""
        host = FakeHost(ONE)

        host.request("DELETE", "/api/start")

        assert host.seen.method == "DELETE"

    def test_too_many_requests_at_once_wait_or_are_turned_away(self) -> None:
        """1.3: maxOutstandingRequests, maxConcurrentRequests -> 429 when exceeded."""
        running: list[int] = [0, 0]

        async def slow() -> Response:
            running[0] += 1
            running[1] = max(running)
            await asyncio.sleep(1)
            running[0] -= 1
            return OK

        host = FakeHost(ONE, slow, options={"http": HttpOptions(max_concurrent=2, max_outstanding=3)})

        async def five() -> list[int]:
            return [answer.status_code for answer in await asyncio.gather(*(host.ask("GET", "/api/start") for _ in range(5)))]

        assert sorted(run(five())) == [200, 200, 200, 429, 429]
        assert running == [0, 2]


class TestAnswers:
    """1.4"""

    def test_a_response_is_sent_as_it_is(self) -> None:
        """1.4: HttpResponse: status string -> int; body raw bytes."""
        answer = FakeHost(ONE, Response(201, [("location", "/x"), ("content-type", "text/plain")], b"\xff")).get("/api/start")

        assert (answer.status_code, answer.headers["location"], answer.content) == (201, "/x", b"\xff")

    @pytest.mark.parametrize(
        ("given", "sent"),
        [
            ("a=b; Path=/", "a=b; path=/"),
            ("a=b", "a=b"),
            ('a="b c"; Secure; HttpOnly; SameSite=Strict', "a=b%20c; secure; samesite=strict; httponly"),
            ("a=b; Max-Age=60; Domain=x.y", "a=b; max-age=60; domain=x.y"),
        ],
    )
    def test_cookies_are_written_anew(self, given: str, sent: str) -> None:
        """1.4: Set-Cookie headers become structured cookies."""
        assert FakeHost(ONE, Response(200, [], b"", [given])).get("/api/start").headers["set-cookie"] == sent

    @pytest.mark.parametrize(
        ("returned", "status", "kind", "body"),
        [
            (Text("plain"), 200, "text/plain; charset=utf-8", "plain"),
            (Text('{"b":1}'), 200, "application/json; charset=utf-8", '{\n  "b": 1\n}'),
            (Text("[1,2]"), 200, "application/json; charset=utf-8", "[\n  1,\n  2\n]"),
            (Text('"quoted"'), 200, "text/plain; charset=utf-8", "quoted"),
            (Text("5"), 200, "application/json; charset=utf-8", "5"),
            (Text("{'b': 1.50}"), 200, "application/json; charset=utf-8", '{\n  "b": 1.5\n}'),
            (Text('{"body": "x", "statusCode": 418}'), 418, "text/plain; charset=utf-8", "x"),
            (Text('{"BODY": {"y": 1}, "status": "202"}'), 202, "application/json; charset=utf-8", '{\n  "y": 1\n}'),
            (Text('{"body": "<b>", "headers": {"Content-Type": "text/html"}}'), 200, "text/html", "<b>"),
            (Json('{"t": "2026-01-01T00:00:00.000Z"}'), 200, "application/json; charset=utf-8", '{\n  "t": "2026-01-01T00:00:00.000Z"\n}'),
            (Bytes(b"\x00"), 200, "application/octet-stream", "\x00"),
            (Number(7), 200, "application/json; charset=utf-8", "7"),
        ],
    )
    def test_a_bare_value_is_read_as_json(self, returned: Data, status: int, kind: str, body: str) -> None:
        """1.4: the host JSON-parses a bare str: an object with `body` is a response object, other JSON is re-printed indented."""
        answer = FakeHost(ONE, returned).get("/api/start")

        assert (answer.status_code, answer.headers["content-type"], answer.text) == (status, kind, body)

    @pytest.mark.parametrize("returned", [Text(""), Text("null"), Text('{"body": null}')])
    def test_nothing_is_no_content(self, returned: Data) -> None:
        """1.4 (inferred: ASP.NET's own result for no content)."""
        assert FakeHost(ONE, returned).get("/api/start").status_code == 204

    def test_an_exception_is_a_500_without_a_body(self) -> None:
        """1.4: exception -> 500, empty body."""
        answer = FakeHost(ONE, error="ValueError: on purpose").get("/api/start")

        assert (answer.status_code, answer.content) == (500, b"")

    def test_a_stopping_host_says_so(self) -> None:
        """1.4: host stopping -> 503 `Function host is not running.`"""
        host = FakeHost(ONE)
        host.web.stopping = True

        answer = host.get("/api/start")

        assert (answer.status_code, answer.text) == (503, "Function host is not running.")

    def test_an_output_that_cannot_be_written_is_a_500(self) -> None:
        """1.4: if the queue write fails the caller gets 500."""
        host = FakeHost([queue_output(http_function("start"), "out")], outputs={"out": Text("x")}, write_error=OSError("no storage"))

        assert host.get("/api/start").status_code == 500

    def test_the_answer_comes_after_the_outputs(self) -> None:
        """1.4: function returns -> output bindings -> only then is the HTTP answer written."""
        host = FakeHost([queue_output(http_function("start"), "out")], outputs={"out": Text("x")})

        assert (host.get("/api/start").status_code, host.sent) == (200, [("out", b"x")])


MASTER = {"x-functions-key": KEYS.master}


class TestOrigins:
    """4: local.settings.json: Host.CORS."""

    @pytest.mark.parametrize(
        ("cors", "allowed"), [((), None), (("https://a.example",), "https://a.example"), (("https://b.example",), None)]
    )
    def test_a_page_of_another_origin_may_call_when_it_is_named(self, cors: tuple[str, ...], allowed: str | None) -> None:
        answer = FakeHost(ONE, options={"cors": cors}).get("/api/start", origin="https://a.example")

        assert answer.status_code == 200
        assert answer.headers.get("access-control-allow-origin") == allowed


class TestAdministration:
    """1.5"""

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_ping_is_open(self, method: str) -> None:
        """1.5: GET|POST /admin/host/ping."""
        assert FakeHost(ONE).request(method, "/admin/host/ping").status_code == 200

    @pytest.mark.parametrize(
        ("method", "path"), [("GET", "host/status"), ("POST", "host/drain"), ("GET", "host/drain/status"), ("POST", "functions/start")]
    )
    @pytest.mark.parametrize("key", ["", "the-host", "the-system"])
    def test_the_rest_takes_the_master_key(self, method: str, path: str, key: str) -> None:
        """1.5: (master key)."""
        assert FakeHost(ONE).request(method, f"/admin/{path}", headers={"x-functions-key": key}).status_code == 401

    def test_the_status(self) -> None:
        """1.5: GET /admin/host/status; 3: HostId: AzureFunctionsWebHost__hostid, else site name (<= 32 chars, lower)."""
        status = FakeHost(ONE, environment={"WEBSITE_SITE_NAME": "My-Site" + "x" * 40}).get("/admin/host/status", **MASTER).json()

        assert (status["state"], status["id"]) == ("Running", "my-site" + "x" * 25)

    def test_draining_stops_the_listeners_and_not_http(self) -> None:
        """1.5: POST /admin/host/drain (202), GET /admin/host/drain/status."""
        host = FakeHost(ONE)
        assert host.get("/admin/host/drain/status", **MASTER).json()["state"] == "Disabled"

        assert host.request("POST", "/admin/host/drain", headers=MASTER).status_code == 202

        assert host.get("/admin/host/drain/status", **MASTER).json() == {
            "state": "Completed",
            "outstandingInvocations": 0,
            "outstandingRetries": 0,
        }
        assert (host.drained, host.get("/api/start").status_code) == (1, 200)

    def test_the_error_of_a_function_that_is_left_out(self) -> None:
        host = FakeHost([*ONE, http_function("bad", "admin/x")])

        errors = host.get("/admin/functions/bad/status", **MASTER).json()["errors"]

        assert errors == ["The 'bad' function is in error: The specified route conflicts with one or more built in routes."]
        assert host.get("/admin/functions/start/status", **MASTER).json() == {}
        assert [function["name"] for function in host.get("/admin/functions", **MASTER).json()] == ["start", "bad"]
