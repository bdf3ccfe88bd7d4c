"""`for_each`: items in lanes, their outputs as lists, failures that are tolerated, and what a resume keeps."""

from __future__ import annotations

import json
from typing import Any

import pytest

from loadme import store
from loadme.core.messages import StepCheck, StepCleanup, StepRequest
from loadme.core.state import Run
from loadme.errors import Rejected
from loadme.handlers import control, queries
from loadme.handlers.patrol import patrol
from loadme.handlers.queries import ItemQuery, LogQuery
from tests.world import World, attempt_id

LATER = (StepCheck.queue, StepCleanup.queue)
SAMPLE = """
name: sample
variables: {names: {}, other: plain}
steps:
  each:
    for_each: ${{ variables.names }}
    image: img
    command: [work, "${{ item }}", "${{ index }}"]
    outputs: {size: {type: integer, required: false}}
  sum:
    needs: [each]
    image: img
    env: {SIZES: "${{ steps.each.outputs.size }}", FIRST: "${{ steps.each.items[0].status }}"}
"""


def each(**keys: Any) -> str:
    """A workflow of one `for_each` step over `names`, with these keys besides."""
    step = {"for_each": "${{ variables.names }}", "image": "img", **keys}
    return json.dumps({"name": "sample", "variables": {"names": {}}, "steps": {"each": step}})


def drained(world: World) -> None:
    world.drain(keep=LATER)


def started(text: str = SAMPLE, **variables: Any) -> tuple[World, Run]:
    world = World(text)
    run = world.start(**{"names": ["a", "b", "c"], **variables})
    drained(world)
    return world, run


def succeed(world: World, run: Run, item: int, step: str = "each", attempt: int = 1, **outputs: Any) -> None:
    """The item's container reports and ends, and what follows from that is done."""
    world.arm.finish(attempt_id(run, step, item, attempt))
    world.report(attempt_id(run, step, item, attempt), **outputs)
    drained(world)


def fail(world: World, run: Run, item: int, step: str = "each", attempt: int = 1) -> None:
    """The item's container ends with exit code 1, which a check finds."""
    world.arm.finish(attempt_id(run, step, item, attempt), exit_code=1)
    world.drain(within=200, keep=(StepCleanup.queue,))


def at_work(world: World) -> list[str]:
    """The steps and items that have a container group, as `each-0`."""
    return sorted("-".join(name.split("-")[2:-1]) for name in world.arm.container_groups)


def step_of(world: World, run: Run, name: str = "each") -> dict[str, Any]:
    return next(step for step in world.show(run)["steps"] if step["name"] == name)


def test_a_map_of_three_items_runs_to_its_end_with_its_outputs_as_lists_in_item_order():
    world, run = started()
    assert [world.arm.parameters[attempt_id(run, "each", item)]["command"] for item in range(3)] == [
        ["work", "a", "0"],
        ["work", "b", "1"],
        ["work", "c", "2"],
    ]
    assert world.environment(attempt_id(run, "each", 2))["LOADME_ITEM"] == "2"
    for item in (2, 0, 1):
        succeed(world, run, item, size=item * 10)
    environment = world.environment(attempt_id(run, "sum"))
    assert (json.loads(environment["SIZES"]), environment["FIRST"]) == ([0, 10, 20], "succeeded")
    succeed(world, run, 0, "sum")
    world.live(1)
    world.ended(run, "succeeded")
    assert "size" not in world.show(run)["outputs"], "the outputs of items are not variables of the run"


def test_an_output_that_an_item_does_not_give_is_null_in_its_place():
    world, run = started()
    succeed(world, run, 0)
    succeed(world, run, 1, size=1)
    succeed(world, run, 2)
    assert json.loads(world.environment(attempt_id(run, "sum"))["SIZES"]) == [None, 1, None]


def test_an_object_gives_items_with_key_and_value():
    text = each(command=["${{ item.key }}", "${{ item.value }}"])
    world, run = started(text, names={"x": 1, "y": [2]})
    found = [world.arm.parameters[attempt_id(run, "each", item)]["command"] for item in range(2)]
    assert found == [["x", "1"], ["y", "[2]"]]


def test_constants_may_have_expressions_in_them():
    text = each(for_each=["one", "${{ variables.names[0] }}", {"n": "${{ size(variables.names) }}"}], command=["${{ item }}"])
    world, run = started(text)
    found = [world.arm.parameters[attempt_id(run, "each", item)]["command"] for item in range(3)]
    assert found == [["one"], ["a"], ['{"n":3}']]


def test_an_empty_list_is_a_success_at_once():
    world, run = started(names=[])
    assert world.statuses(run) == {"each": "succeeded", "sum": "failed"}, "there is no item 0 to read"
    assert step_of(world, run)["items"]["count"] == 0
    assert step_of(world, run)["outputs"] == {"size": []}


def test_the_if_of_a_map_is_judged_once_and_skips_the_whole_step():
    text = each(**{"if": "${{ size(variables.names) > 5 }}"})
    world, run = started(text)
    assert world.statuses(run) == {"each": "skipped"}
    assert world.arm.container_groups == {}


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (7, "must be an array or an object, this is 7"),
        (list(range(10_001)), "has 10001 items, 10000 are allowed"),
    ],
)
def test_values_that_cannot_be_items_fail_the_step_and_say_why(names, words):
    world, run = started(names=names)
    world.live(0.2)
    error = world.ended(run)
    assert error["kind"] == "expression"
    assert error["step"] == "each"
    assert words in error["message"]


def test_max_parallel_says_how_many_items_are_at_work():
    world, run = started(each(max_parallel=2), names=list("abcde"))
    assert at_work(world) == ["each-0", "each-1"]
    succeed(world, run, 0)
    world.live(0.1)
    assert at_work(world) == ["each-1", "each-2"], "the lane of item 0 goes on with item 2"
    succeed(world, run, 2)
    succeed(world, run, 4)
    for item in (1, 3):
        succeed(world, run, item)
    world.live(0.2)
    world.ended(run, "succeeded")


def test_the_run_is_written_only_when_its_last_lane_is_over():
    world, run = started(each(max_parallel=3), names=list(range(30)))
    before = store.read_run(world.tables, run.id).etag
    for item in range(29):
        succeed(world, run, item)
    assert store.read_run(world.tables, run.id).etag == before
    succeed(world, run, 29)
    assert world.statuses(run) == {"each": "succeeded"}


def test_a_failing_item_says_which_it_was_and_no_new_one_begins():
    world, run = started(each(max_parallel=2), names=list("abcdef"))
    succeed(world, run, 0)
    fail(world, run, 2)
    assert "each-4" not in at_work(world)
    assert world.statuses(run) == {"each": "running"}, "the item that is at work goes on"
    succeed(world, run, 1)
    world.live(1)
    error = world.ended(run)
    assert "item 2 (from 0) of 6 failed" in error["message"]
    assert "1 of 6 items failed, 0 are tolerated" in error["message"]
    assert (error["step"], error["item"]) == ("each", 2)
    assert step_of(world, run)["items"] == {
        "count": 6,
        "tolerated": 0,
        "pending": 0,
        "running": 0,
        "succeeded": 2,
        "failed": 1,
        "skipped": 0,
        "cancelled": 3,
    }


@pytest.mark.parametrize(("tolerate", "status"), [(1, "succeeded"), ("34%", "succeeded"), ("33%", "failed"), (0, "failed")])
def test_so_many_items_may_fail(tolerate, status):
    world, run = started(SAMPLE.replace("    image: img\n    command", f"    tolerate: {tolerate}\n    image: img\n    command"))
    fail(world, run, 1)
    succeed(world, run, 0, size=1)
    succeed(world, run, 2, size=2)
    assert step_of(world, run)["status"] == status
    if status == "succeeded":
        assert json.loads(world.environment(attempt_id(run, "sum"))["SIZES"]) == [1, None, 2]


def test_the_items_of_a_step_and_their_errors_can_be_read_by_expressions():
    text = SAMPLE.replace("    image: img\n    command", "    tolerate: 1\n    image: img\n    command")
    text = text.replace("steps.each.items[0].status", "steps.each.items.filter(i, i.status == 'failed')[0].error.kind")
    world, run = started(text)
    fail(world, run, 1)
    succeed(world, run, 0)
    succeed(world, run, 2)
    assert world.environment(attempt_id(run, "sum"))["FIRST"] == "exit_code"


def test_items_are_retried_one_by_one():
    retry = {"attempts": 2, "delay": "1s", "jitter": "none"}
    world, run = started(each(retry=retry))
    for item in (0, 2):
        succeed(world, run, item)
    fail(world, run, 1)
    world.live(0.1)
    succeed(world, run, 1, attempt=2)
    world.live(0.5)
    world.ended(run, "succeeded")


def test_a_retry_that_waits_is_given_up_when_the_step_fails_anyway():
    retry = {"attempts": 5, "delay": "8h", "max_delay": "8h", "jitter": "none", "on": ["exit_code"]}
    world, run = started(each(retry=retry, outputs={"n": "integer"}))
    fail(world, run, 0)
    assert step_of(world, run)["status"] == "running"
    world.arm.finish(attempt_id(run, "each", 1))
    with pytest.raises(Rejected, match="n"):
        world.report(attempt_id(run, "each", 1))
    succeed(world, run, 2, n=1)
    assert "2 of 3 items failed" in step_of(world, run)["error"]["message"]


def test_a_cancel_ends_what_is_at_work_and_begins_nothing():
    world, run = started(each(max_parallel=2), names=list("abcdef"))
    succeed(world, run, 0)
    for name in world.arm.container_groups:
        world.arm.start(name)
    control.cancel(world.services, run.id, {})
    drained(world)
    world.live(1)
    world.ended(run, "cancelled")
    assert step_of(world, run)["items"]["succeeded"] == 1
    items = queries.list_items(world.services, run.id, "each")["items"]
    assert [(one["item"], one["status"]) for one in items] == [(0, "succeeded"), (1, "cancelled"), (2, "cancelled")]


def test_a_cancel_before_the_values_are_known_ends_the_step():
    world = World(each())
    run = world.start(names=["a", "b", "c"])
    control.cancel(world.services, run.id, {})
    world.live(0.3)
    world.ended(run, "cancelled")


def resumed(world: World, run: Run, **given: Any) -> None:
    control.resume(world.services, run.id, given)
    drained(world)


def failed_run(text: str) -> tuple[World, Run]:
    """A run over five items of which 0, 1 and 3 have succeeded and 2 has failed."""
    world, run = started(text, names=list("abcde"))
    for item in (0, 1, 3):
        succeed(world, run, item)
    fail(world, run, 2)
    world.live(1)
    world.ended(run)
    return world, run


def test_a_resume_runs_the_items_again_that_did_not_succeed_and_keeps_the_others():
    world, run = failed_run(each(max_parallel=2, outputs={"n": {"required": False}}))
    resumed(world, run)
    world.live(0.1)
    assert set(world.arm.container_groups) == {attempt_id(run, "each", 2, 2)}
    succeed(world, run, 2, attempt=2, n=7)
    succeed(world, run, 4, attempt=2)
    world.live(1)
    world.ended(run, "succeeded")
    assert step_of(world, run)["outputs"] == {"n": [None, None, 7, None, None]}
    assert [world.arm.starts[attempt_id(run, "each", item)] for item in (0, 1, 3)] == [1, 1, 1]


def test_a_resume_from_the_map_itself_runs_all_its_items_again():
    world, run = failed_run(each(max_parallel=2))
    resumed(world, run, **{"from": "each"})
    world.live(0.1)
    assert set(world.arm.container_groups) == {attempt_id(run, "each", item, 2) for item in (0, 1)}


def test_a_run_that_is_cancelled_right_after_its_resume_ends_each_lane_once():
    world, run = failed_run(each(max_parallel=2))
    control.resume(world.services, run.id, {})
    control.cancel(world.services, run.id, {})
    world.live(1)
    world.ended(run, "cancelled")
    lanes = [one.lane for one in store.read_lanes(world.tables, run.id, "each")]
    assert [(lane.lane, lane.item, lane.is_over, lane.succeeded) for lane in lanes] == [(0, 2, True, 1), (1, 3, True, 1)]
    resumed(world, run)
    world.live(0.1)
    assert set(world.arm.container_groups) == {attempt_id(run, "each", 2, 2)}, "what had succeeded is kept all the same"


def test_items_of_an_earlier_list_are_not_kept_by_a_resume_after_a_resume_with_another_list():
    world, run = failed_run(each(max_parallel=2))
    resumed(world, run, variables={"names": list("vwxyz")})
    world.live(0.1)
    fail(world, run, 0, attempt=2)
    succeed(world, run, 1, attempt=2)
    world.live(1)
    world.ended(run)
    resumed(world, run)
    world.live(0.1)
    assert attempt_id(run, "each", 0, 3) in world.arm.container_groups
    succeed(world, run, 0, attempt=3)
    world.live(0.1)
    assert attempt_id(run, "each", 3, 2) in world.arm.container_groups, "its success was over another list"


def test_what_is_lost_on_the_way_the_patrol_sends_again():
    world = World(each(max_parallel=1))
    run = world.start(names=["a", "b", "c"])
    for _ in range(12):
        world.queues.sent.clear()  # whatever was sent is lost
        world.pass_time(world.services.settings.policy.patrol_period + 1)
        patrol(world.services)
        world.drain(keep=LATER)
        for name in list(world.arm.container_groups):
            if not world.arm.container_groups[name].containers[name].state:
                world.arm.finish(name)
                world.report(name)
    world.live(1)
    world.ended(run, "succeeded")


def test_a_message_that_comes_again_at_any_point_changes_nothing():
    world = World(SAMPLE)
    run = world.start(names=["a", "b", "c"])
    seen: list[tuple[str, str]] = []

    def twice(body: str, queue: str) -> None:
        seen.append((queue, body))
        world._gently(body, queue)
        world._gently(body, queue)

    world.drain(keep=LATER, deliver=twice)
    for item in range(3):
        world.arm.finish(attempt_id(run, "each", item))
        world.report(attempt_id(run, "each", item), size=item)
        world.drain(keep=LATER, deliver=twice)
    for queue, body in seen:
        world._gently(body, queue)
    world.drain(keep=LATER)
    assert set(world.arm.starts.values()) == {1}
    succeed(world, run, 0, "sum")
    world.live(1)
    world.ended(run, "succeeded")


def test_the_values_are_kept_in_pages():
    names = [f"{number:05}" * 20 for number in range(5000)]
    world, run = started(each(command=["${{ item }}"], max_parallel=1), names=names)
    pages = [name for name in world.blobs.data if "values" in name]
    assert 25 <= len(pages) <= 30
    assert max(len(world.blobs.data[name]) for name in pages) <= 300 * 1024
    for item in range(3):
        assert world.arm.parameters[attempt_id(run, "each", item)]["command"] == [names[item]]
        succeed(world, run, item)


def test_large_variables_are_kept_once_and_not_in_every_item():
    world, run = started(each(), names=["x" * 2000] * 10)
    sizes = [len(one.body) for (partition, row), one in world.tables.rows.items() if partition == run.id and row.startswith("i~")]
    assert len(sizes) == 10
    assert max(sizes) < 2000


def test_items_are_listed_in_pages_and_by_status():
    world, run = started(each(tolerate=1), names=list(range(7)))
    fail(world, run, 3)
    succeed(world, run, 0)
    page = queries.list_items(world.services, run.id, "each", ItemQuery(limit="4"))
    assert [one["item"] for one in page["items"]] == [0, 1, 2, 3]
    rest = queries.list_items(world.services, run.id, "each", ItemQuery(limit="4", continuation=page["continuation"]))
    assert ([one["item"] for one in rest["items"]], rest["continuation"]) == ([4, 5, 6], None)
    failed = queries.list_items(world.services, run.id, "each", ItemQuery(status="failed"))["items"]
    assert [(one["item"], one["error"]["kind"]) for one in failed] == [(3, "exit_code")]
    with pytest.raises(Rejected, match="continuation"):
        queries.list_items(world.services, run.id, "each", ItemQuery(continuation="x"))


def test_the_run_shows_how_many_items_there_are_without_reading_them():
    world, run = started(each(max_parallel=2), names=list(range(6)))
    succeed(world, run, 0)
    rows = world.calls("tables", "read")
    assert step_of(world, run)["items"] == {
        "count": 6,
        "tolerated": 0,
        "pending": 3,
        "running": 2,
        "succeeded": 1,
        "failed": 0,
        "skipped": 0,
        "cancelled": 0,
    }
    assert len(rows) < 6


def test_the_log_of_an_item_is_read_by_its_number():
    world, run = started()
    world.arm.finish(attempt_id(run, "each", 2), log="of the third\n")
    world.report(attempt_id(run, "each", 2))
    assert queries.read_log(world.services, run.id, "each", LogQuery(item="2")) == "of the third\n"
    with pytest.raises(Rejected, match="no item 9: it has 3"):
        queries.read_log(world.services, run.id, "each", LogQuery(item="9"))


def test_outputs_that_are_too_large_together_fail_the_step_and_say_what_to_do(monkeypatch):
    monkeypatch.setattr("loadme.handlers.collect.MOST_BYTES", 200)
    world, run = started(each())
    for item in range(3):
        succeed(world, run, item, text="x" * 100)
    world.live(1)
    error = world.ended(run)
    assert error["kind"] == "outputs"
    assert "files" in error["hint"]


def test_a_run_with_max_parallel_opens_lanes_as_others_end():
    text = json.dumps({**json.loads(each(max_parallel=3)), "max_parallel": 2})
    world, run = started(text, names=list("abcdef"))
    assert at_work(world) == ["each-0", "each-1"]
    for item in (0, 3, 1, 4):
        succeed(world, run, item)
    assert {attempt_id(run, "each", 2)} <= set(world.arm.container_groups)
    for item in (2, 5):
        succeed(world, run, item)
    world.live(1)
    world.ended(run, "succeeded")


def test_what_was_gathered_is_removed_with_the_run():
    world, run = started(SAMPLE, names=list(range(50)))
    requests = [one for one in world.queues.sent if one.queue == StepRequest.queue]
    assert requests == []
    for item in range(50):
        succeed(world, run, item, size=item)
    succeed(world, run, 0, "sum")
    world.live(1)
    world.ended(run, "succeeded")
    from loadme.handlers import purge

    assert purge.delete(world.services, run.id)
    assert [key for key in world.tables.rows if key[0] == run.id] == []
    assert [name for name in world.blobs.data if run.id in name] == []
