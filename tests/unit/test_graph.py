from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from loadme.definitions.definition import Catch, Step, Workflow
from loadme.definitions.graph import ancestors, before_it, catcher, cycles, followers, needs, order
from tests.unit.definitions import steps, workflow

DIAMOND = {"join": ["right", "left"], "right": ["start"], "left": ["start"], "start": []}


def graph(needs: dict[str, list[str]]) -> Workflow:
    return Workflow(name="g", steps={name: Step(image="i", needs=tuple(before)) for name, before in needs.items()})


def test_the_order_is_topological_with_ties_as_the_definition_has_them() -> None:
    assert order(workflow(steps=steps(DIAMOND))) == ("start", "right", "left", "join")


def test_ancestors_are_what_is_over_before_and_in_the_order_of_the_steps() -> None:
    diamond = workflow(steps=steps(DIAMOND))

    assert ancestors(diamond, "join") == ("start", "right", "left")
    assert ancestors(diamond, "left") == ("start",)
    assert ancestors(diamond, "start") == ()


def test_each_knot_of_waiting_steps_is_found_once() -> None:
    knotted = graph({"free": [], "a": ["c", "free"], "b": ["a"], "c": ["b"], "behind": ["a"], "self": ["self"]})

    assert cycles(knotted) == [("a", "c", "b", "a"), ("self", "self")]
    assert order(knotted) == ("free",)
    assert before_it(knotted, "behind") == {"a", "b", "c", "free"}


def with_catch_and_finally() -> Workflow:
    mend, a = Step(image="i"), Step(image="i", catch=(Catch(step="mend"),))
    tidy, notify = Step(image="i", needs=("notify",)), Step(image="i")
    return Workflow(name="g", steps={"mend": mend, "a": a, "b": Step(image="i", needs=("a",))}, last={"tidy": tidy, "notify": notify})


def test_a_step_that_catches_comes_behind_the_one_that_it_catches() -> None:
    graph = with_catch_and_finally()

    assert (catcher(graph, "mend"), catcher(graph, "a")) == ("a", None)
    assert (needs(graph, "mend"), followers(graph, "a")) == (("a",), ("mend", "b"))
    assert ancestors(graph, "mend") == ("a",)


def test_finally_comes_behind_all_steps_in_an_order_of_its_own() -> None:
    graph = with_catch_and_finally()

    assert order(graph) == ("a", "mend", "b", "notify", "tidy")
    assert ancestors(graph, "notify") == ("a", "mend", "b")
    assert ancestors(graph, "tidy") == ("a", "mend", "b", "notify")
    assert needs(graph, "notify") == ()


def test_a_catch_can_close_a_cycle_and_steps_of_finally_can_be_on_one() -> None:
    circle = Workflow(
        name="g",
        steps={"a": Step(image="i", needs=("b",), catch=(Catch(step="b"),)), "b": Step(image="i")},
        last={"x": Step(image="i", needs=("y",)), "y": Step(image="i", needs=("x",))},
    )

    assert cycles(circle) == [("a", "b", "a"), ("x", "y", "x")]


def test_a_step_that_does_not_need_finally_is_not_ordered_by_it() -> None:
    odd = Workflow(name="g", steps={"a": Step(image="i", needs=("x", "nobody"))}, last={"x": Step(image="i")})

    assert (order(odd), before_it(odd, "a")) == (("a", "x"), set())


@st.composite
def acyclic(draw: Any) -> dict[str, list[str]]:
    names = [f"s{index}" for index in range(draw(st.integers(1, 12)))]
    needs = {name: draw(st.lists(st.sampled_from(names[:index]), unique=True)) if index else [] for index, name in enumerate(names)}
    return {name: needs[name] for name in draw(st.permutations(names))}


@given(acyclic())
def test_every_step_comes_once_and_behind_all_that_it_needs(needs: dict[str, list[str]]) -> None:
    found = order(graph(needs))

    assert sorted(found) == sorted(needs)
    assert all(found.index(before) < found.index(name) for name, wanted in needs.items() for before in wanted)
    assert cycles(graph(needs)) == []


def first_ready(needs: dict[str, list[str]]) -> tuple[str, ...]:
    """The order as the design words it, without care for speed."""
    done: list[str] = []
    while len(done) < len(needs):
        done.append(next(name for name in needs if name not in done and set(needs[name]) <= set(done)))
    return tuple(done)


@given(acyclic())
def test_of_the_steps_that_are_ready_the_first_of_the_definition_comes_first(needs: dict[str, list[str]]) -> None:
    assert order(graph(needs)) == first_ready(needs)


@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"))))
def test_what_is_not_ordered_is_behind_a_cycle(needs: dict[str, list[str]]) -> None:
    any_graph = graph(needs)

    assert bool(cycles(any_graph)) == (len(order(any_graph)) < len(needs))
