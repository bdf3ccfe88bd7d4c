"""The host's routing is ASP.NET's, not the one that a Python framework would have."""

import pytest

from localcloud.host.routes import HttpRoute, compile_template, find


def a_route(route: str, function: str = "f", methods: tuple[str, ...] = ()) -> HttpRoute:
    return HttpRoute(function, route, compile_template(route), frozenset(methods), "ANONYMOUS")


@pytest.mark.parametrize(
    ("route", "path", "parameters"),
    [
        ("api/runs", "/api/runs", {}),
        ("api/runs", "/API/Runs/", {}),
        ("api/runs/{run}", "/api/runs/a%20b", {"run": "a b"}),
        ("api/runs/{run}", "/api/runs/a%2Fb", {"run": "a/b"}),
        ("api/runs/{run?}", "/api/runs", {}),
        ("api/pages/{page=1}", "/api/pages", {"page": "1"}),
        ("api/pages/{page:int}", "/api/pages/12", {"page": "12"}),
        ("api/files/{*path}", "/api/files/a/b/c", {"path": "a/b/c"}),
        ("api/files/{*path}", "/api/files", {}),
        ("api/v{major:int}.{minor:int}", "/api/v1.2", {"major": "1", "minor": "2"}),
        ("api/{id:guid}", "/api/0f8fad5b-d9cb-469f-a165-70867728950e", {"id": "0f8fad5b-d9cb-469f-a165-70867728950e"}),
        ("api/{word:length(2,3)}", "/api/abc", {"word": "abc"}),
        (r"api/{code:regex(^\d{{3}}-[a-z]?$)}", "/api/123-x", {"code": "123-x"}),
        ("api/{n:min(2):max(5)}/x", "/api/5/x", {"n": "5"}),
        ("api/{x:double}/{day:datetime}", "/api/-1.5e3/2026-01-02", {"x": "-1.5e3", "day": "2026-01-02"}),
        ("api/{flag:bool}/{n:decimal}", "/api/True/1,000.5", {"flag": "True", "n": "1,000.5"}),
        ("api/{Name:INT}", "/api/7", {"Name": "7"}),
        ("api/{page:int=1}/{*rest}", "/api", {"page": "1"}),
    ],
)
def test_a_path_matches_and_gives_its_parameters(route: str, path: str, parameters: dict[str, str]) -> None:
    assert compile_template(route).match(path) == parameters


@pytest.mark.parametrize(
    ("route", "path"),
    [
        ("api/runs", "/api/run"),
        ("api/runs/{run}", "/api/runs"),
        ("api/runs/{run}", "/api/runs/a/b"),
        ("api/pages/{page:int}", "/api/pages/twelve"),
        ("api/{word:length(2,3)}", "/api/abcd"),
        ("api/{word:alpha}", "/api/a1"),
        ("api/{number:range(1,5)}", "/api/6"),
        (r"api/{code:regex(^\d{{3}}$)}", "/api/1234"),
        ("api/{n:min(2):max(5)}", "/api/1"),
        ("api/{day:datetime}", "/api/today"),
        ("api/{x:double}", "/api/1.x"),
        ("api/{id:guid}", "/api/1234"),
        ("api/{flag:bool}", "/api/yes"),
    ],
)
def test_another_path_does_not_match(route: str, path: str) -> None:
    assert compile_template(route).match(path) is None


def test_the_first_route_wins_however_specific_a_later_one_is() -> None:
    routes = [a_route("api/{anything}", "a"), a_route("api/exact", "b")]

    found = find(routes, "GET", "/api/exact")

    assert found is not None
    assert found[0].function == "a"


def test_a_method_that_a_route_does_not_take_lets_the_next_one_have_the_request() -> None:
    routes = [a_route("api/runs", "list", ("GET",)), a_route("api/runs", "start", ("POST",))]

    found = find(routes, "POST", "/api/runs")

    assert found is not None
    assert found[0].function == "start"
    assert find(routes, "DELETE", "/api/runs") is None


@pytest.mark.parametrize(
    ("route", "message"),
    [
        ("runs/{1st}", r"route parameter \{1st\} is not understood"),
        ("{a}/{A}", r"route parameter \{A\} has a name that is there already"),
        ("{id:length(a)}", r"route constraint length does not take \(a\)"),
        ("{id:length(1,2,3)}", "route constraint length does not take"),
        ("{id:min()}", r"route constraint min does not take \(\)"),
        ("{id:range(1)}", "route constraint range does not take"),
        ("{id:int(3)}", "route constraint int does not take"),
        ("{id:regex([)}", r"route constraint regex does not take \(\[\): unterminated character set"),
        ("runs/{id", r"the route runs/\{id is not understood"),
        ("runs//x", "the route runs//x is not understood"),
    ],
)
def test_what_makes_no_sense_is_refused_when_it_is_read(route: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compile_template(route)


@pytest.mark.parametrize("value", ["²", "9" * 5000])
def test_what_is_no_number_fits_no_limits(value: str) -> None:
    assert compile_template("{n:range(1,5)}").match(f"/{value}") is None


def test_an_unknown_constraint_is_an_error() -> None:
    with pytest.raises(ValueError, match="constraint word is not known"):
        compile_template("api/{name:word}")
