from __future__ import annotations

from loadme.definitions.problems import Problem, nearest


def test_a_problem_says_where_what_and_what_to_do() -> None:
    problem = Problem("needs[0]", "unknown step `b`", "did you mean `a`?").under("steps.c")

    assert str(problem) == "steps.c.needs[0]: unknown step `b` (did you mean `a`?)"
    assert problem.as_error() == {"field": "steps.c.needs[0]", "message": "unknown step `b`", "hint": "did you mean `a`?"}
    assert str(Problem("", "is empty")) == "is empty"
    assert Problem("[0]", "x").under("a.b").path == "a.b[0]"


def test_the_nearest_word_is_found_whatever_its_case() -> None:
    assert nearest("REGOIN", ["count", "Region"]) == "did you mean `Region`?"


def test_without_a_near_word_a_short_list_is_shown_and_a_long_one_is_not() -> None:
    assert nearest("zzz", ["a", "b"]) == "known here: a, b"
    assert nearest("zzz", [f"name{index}" for index in range(13)]) == ""
    assert nearest("zzz", []) == ""
