"""What the benchmarks measure, held to as counts: an item costs the same however many there are, and no event does more for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from types import SimpleNamespace
from xml.etree import ElementTree

import msgspec
import pytest

from bench import chart, fan_in, maps
from bench.host import Host
from loadme import store, transaction
from loadme.azure.storage.tables import MAX_BODY, Row
from loadme.core import ids
from loadme.core.events import Cancel
from loadme.core.outcome import Value
from loadme.core.state import Run
from loadme.definitions import kind_rules, sizes
from loadme.definitions.workflow_files import load
from loadme.errors import Conflict
from loadme.handlers import queries
from loadme.handlers.queries import Query
from tests.world import World, launched

LISTED = """
name: sample
steps:
  list: {{image: img, outputs: {{files: array}}}}
  work:
    needs: [list]
    if: ${{{{ size(steps.list.outputs.files) > 0 }}}}
    for_each: ${{{{ steps.list.outputs.files }}}}
    image: img
    command: [work, "${{{{ item }}}}"{more}]
"""


def cost(items: int, lanes: int = 5) -> tuple[Counter[str], Counter[str]]:
    """The calls of a whole run over so many items, and the most of any one event."""
    found = maps.faked(items, lanes)
    return found.tally.calls, found.tally.most


def rare(count: int) -> World:
    """An app with so many finished runs, of which the first alone has failed."""
    world = World("name: sample\nsteps: {only: {image: img}}")
    for number in range(count):
        at = world.moment + timedelta(minutes=number)
        status = "failed" if number == 0 else "succeeded"
        run = Run(
            id=ids.new_run_id(at, world.random.randbytes),
            workflow="sample",
            definition="",
            status=status,
            created_at=at,
            variables=Value(inline={}),
            steps={},
        )
        world.tables.write([store.listing_row(run)])
    return world


def test_an_item_costs_the_same_whether_there_are_few_or_many() -> None:
    few, some, many = (cost(items)[0] for items in (40, 80, 160))

    assert {name: some[name] - few[name] for name in some} == {name: (many[name] - some[name]) // 2 for name in many}


def test_the_runs_row_is_not_written_for_an_item_nor_for_a_lane() -> None:
    written = [
        (calls["tables.write run"], calls["tables.write item+run"])
        for calls in (cost(items, lanes)[0] for items, lanes in ((20, 5), (80, 20)))
    ]

    assert written == [(6, 0), (6, 0)]


def test_no_event_does_more_for_more_items() -> None:
    few, many = (cost(items)[1] for items in (40, 160))

    assert few["messages sent"] == many["messages sent"] == 5
    assert few["rows written"] == many["rows written"]
    assert few["tables calls"] == many["tables calls"]


@pytest.mark.parametrize(("more", "reads"), [("", 2), (', "${{ size(steps.list.outputs.files) }}"', 3)])
def test_an_item_reads_the_outputs_that_its_values_come_from_only_if_it_names_them_itself(more: str, reads: int) -> None:
    # The list is so large that it is a blob; an item reads its variables and a page of values.
    def blobs(items: int) -> int:
        host = Host(LISTED.format(more=more), outputs={"list": {"files": ["x" * 1000] * items}})
        host.run()
        return host.tally.calls["blobs.get"]

    assert blobs(60) - blobs(50) == 10 * reads


@pytest.mark.parametrize("lanes", [5, 20])
def test_a_message_that_comes_again_costs_the_same_however_many_lanes_there_are(lanes: int) -> None:
    host = Host(maps.text(lanes), again=10)

    host.run(files=maps.files(40))

    assert host.tally.calls["arm.deploy"] == 40
    assert host.tally.calls["queues.send"] < 40 * 7


def test_functions_of_one_process_that_were_too_late_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    world, run, _ = launched("name: sample\nsteps: {only: {image: img}}")
    done, real = list[str](), world.tables.write

    def write(rows: Sequence[Row]) -> tuple[str, ...]:
        done.append("write")
        if done.count("write") == 1:
            raise Conflict("somebody was faster")
        return real(rows)

    lock = SimpleNamespace(acquire=lambda timeout: timeout > 0 and not done.append("turn"), release=lambda: done.append("over"))
    monkeypatch.setattr(world.tables, "write", write)
    monkeypatch.setattr(transaction, "_lock", lock)

    transaction.change_run(world.services, run.id, Cancel())

    assert done == ["write", "turn", "write", "over"]


def test_a_step_that_needs_very_many_others_begins_once() -> None:
    host = Host(fan_in.into_one(60))

    host.run()

    assert host.tally.calls["tables.write item+run"] == 61
    assert host.tally.calls["arm.deploy"] == 61


def test_a_filter_that_hardly_any_run_fits_does_not_read_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_LOOKED", 100)
    world, read, found, pages = rare(300), [], [], 0
    real = world.tables.list
    monkeypatch.setattr(world.tables, "list", lambda *given, **named: read.append(real(*given, **named)) or read[-1])

    query = Query(status="failed", limit="10")
    while True:
        page = queries.list_runs(world.services, query)
        found += page["runs"]
        pages += 1
        if page["continuation"] is None:
            break
        query = Query(status="failed", limit="10", continuation=page["continuation"])

    assert len(found) == 1
    assert 2 <= pages <= 4
    assert max(map(len, read)) <= 176


def test_a_filtered_page_is_whole_if_runs_that_fit_are_near(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rare(60)

    first = queries.list_runs(world.services, Query(status="succeeded", limit="40"))
    second = queries.list_runs(world.services, Query(status="succeeded", limit="40", continuation=first["continuation"]))

    assert [len(first["runs"]), len(second["runs"])] == [40, 19]
    assert second["continuation"] is None
    assert {one["id"] for one in first["runs"]}.isdisjoint(one["id"] for one in second["runs"])


def test_the_runs_row_has_room_for_five_hundred_steps_that_are_maps() -> None:
    names = [f"a-step-with-a-long-name-{number:04}" for number in range(500)]
    steps = "\n".join(f"  {name}: {{image: img, for_each: [1]}}" for name in names)
    note = f"variables: {{note: {{type: string, default: {'x' * 990}}}}}"
    world = World(f"name: sample\n{note}\nsteps:\n{steps}")

    run = world.start()
    first = next(one for one in world.queues.sent if names[0] in one.body)
    world.deliver(first.body, first.queue)

    one = store.read_run(world.tables, run.id).run.steps[names[0]]
    assert one.map is not None
    # Each step's outputs may come to that, too.
    assert 500 * len(msgspec.json.encode({names[0]: one})) + sizes.ALL_OUTPUTS < MAX_BODY


def test_what_keys_a_step_has_is_asked_for_once_and_not_for_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, real = list[object](), kind_rules.type_info
    monkeypatch.setattr(kind_rules, "type_info", lambda kind: asked.append(kind) or real(kind))
    kind_rules._fields.cache_clear()

    assert load(fan_in.into_one(30), "sample.yaml")[0]

    assert len(asked) == 1


def test_a_chart_draws_each_line_through_all_its_points() -> None:
    drawn = ElementTree.fromstring(chart.svg([("A & B", {"flat": [(10, 3), (1000, 3)], "grows": [(10, 1), (1000, 8)]})]))  # noqa: S314 (our own)

    lines = [
        [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()] for line in drawn.iter() if "points" in line.attrib
    ]
    assert [len(line) for line in lines] == [2, 2]
    assert lines[0][0][1] == lines[0][1][1]
    assert lines[1][0][1] > lines[1][1][1]
