"""A run from its start to its end, over fakes."""

from __future__ import annotations

import json

import pytest

from loadme import store
from loadme.core.messages import StepCheck, StepCleanup, StepOutcome, StepRequest
from loadme.errors import Rejected, Terminal, Unavailable
from loadme.handlers import archive, queries
from loadme.handlers.patrol import patrol
from tests.world import World, attempt_id

LATER = (StepCheck.queue, StepCleanup.queue)
ONE = "name: sample\nsteps: {only: {image: img}}"
DIAMOND = """
name: sample
variables: {region: westeurope}
steps:
  split: {image: img, outputs: {parts: array, region: string}}
  left: {needs: [split], image: img, env: {PART: "${{ steps.split.outputs.parts[0] }}"}, outputs: {left: integer}}
  right: {needs: [split], image: "img:${{ variables.region }}", command: [go, "${{ steps.split.outputs.parts[1] }}"]}
  join: {needs: [left, right], image: img}
"""


def test_a_run_of_one_step_succeeds_when_its_container_reports():
    world = World(ONE)
    run = world.start()
    world.drain(keep=LATER)

    assert world.statuses(run) == {"only": "running"}
    world.report(attempt_id(run, "only"), rows=3)
    world.drain(keep=LATER)

    shown = world.show(run)
    assert (shown["status"], shown["outputs"], shown["error"]) == ("succeeded", {"rows": 3}, None)


def test_a_diamond_passes_outputs_on_and_joins_once():
    world = World(DIAMOND)
    run = world.start()
    world.drain(keep=LATER)
    world.report(attempt_id(run, "split"), parts=["a", "b"], region="northeurope")
    world.drain(keep=LATER)

    assert world.statuses(run) == {"split": "succeeded", "left": "running", "right": "running", "join": "pending"}
    right = world.arm.parameters[attempt_id(run, "right")]
    assert (right["image"], right["command"]) == ("img:northeurope", ["go", "b"])
    assert world.environment(attempt_id(run, "left"))["PART"] == "a"
    assert world.environment(attempt_id(run, "left"))["___PARTS"] == '["a","b"]'

    world.report(attempt_id(run, "right"))
    world.drain(keep=LATER)
    assert world.statuses(run)["join"] == "pending"
    world.report(attempt_id(run, "left"), left=1)
    world.drain(keep=LATER)
    assert world.environment(attempt_id(run, "join"))["___LEFT"] == "1"
    world.report(attempt_id(run, "join"))
    world.drain(keep=LATER)

    assert world.show(run)["status"] == "succeeded"
    assert set(world.arm.starts.values()) == {1}


def test_what_a_container_is_given_is_what_the_contract_says():
    world = World(ONE)
    run = world.start()
    world.drain(keep=LATER)
    attempt = attempt_id(run, "only")

    given = world.environment(attempt)
    plain = world.arm.parameters[attempt]["environment"]["plain"]

    assert given["LOADME_CALLBACK_URL"] == f"https://app.example/api/callback/{attempt}"
    assert given["LOADME_FILES_URL"] == f"https://blob.example/loadme-files/{run.id}/"
    assert (given["LOADME_RUN_ID"], given["LOADME_STEP"], given["LOADME_ITEM"], given["LOADME_ATTEMPT"]) == (run.id, "only", "0", "1")
    assert given["LOADME_DEADLINE"] == "2030-01-01T13:30:00.000Z"
    assert "LOADME_CALLBACK_TOKEN" not in plain
    assert world.arm.parameters[attempt]["tags"]["loadme-run"] == run.id


def test_a_launch_that_is_delivered_again_deploys_once_while_the_container_runs_and_after_it_has_ended():
    world = World(ONE)
    run = world.start()
    body = world.queues.bodies(StepRequest.queue)[0]
    world.drain(keep=LATER)
    attempt = attempt_id(run, "only")
    world.arm.start(attempt)

    world.deliver(body, StepRequest.queue)
    world.pass_time(300)
    world.deliver(body, StepRequest.queue)
    world.arm.finish(attempt)
    world.pass_time(300)
    world.deliver(body, StepRequest.queue)
    world.report(attempt)
    world.deliver(body, StepRequest.queue)

    assert world.arm.starts[attempt] == 1


def test_a_launch_that_died_before_its_deployment_is_made_good_by_a_check():
    world = World(ONE)
    run = world.start()
    world.arm.errors["deploy"] = [MemoryError("the process is killed here")]
    with pytest.raises(MemoryError):
        world.drain(keep=LATER)

    world.drain(within=600, keep=(StepCleanup.queue,))

    assert world.arm.starts[attempt_id(run, "only")] == 1


def test_a_queue_that_is_out_of_reach_at_the_launch_costs_seconds_and_not_minutes():
    world = World(ONE)
    run = world.start()
    real, failures = world.queues.send, iter([True])

    def send(queue, body, delay=0.0):
        if queue == StepCheck.queue and next(failures, False):
            raise Unavailable("the queue does not answer")
        real(queue, body, delay)

    world.queues.send = send
    world.live(1 / 60)

    assert world.arm.starts[attempt_id(run, "only")] == 1


def test_an_outage_of_arm_at_the_launch_is_for_the_queue_to_try_again():
    world = World(ONE)
    run = world.start()
    world.arm.errors["deploy"] = [Unavailable("no answer")]
    world.drain(keep=LATER)
    assert world.show(run)["steps"][0]["waiting"]["why"] == "no answer"

    world.drain(within=7, keep=LATER)

    assert world.arm.starts[attempt_id(run, "only")] == 1


def test_what_arm_refuses_for_good_fails_the_step_at_once_with_its_own_words():
    world = World(ONE)
    run = world.start()
    world.arm.errors["deploy"] = [Terminal("The client does not have authorization", code="AuthorizationFailed")]
    world.drain(keep=LATER)

    error = world.show(run)["error"]
    assert (error["kind"], error["step"]) == ("refused", "only")
    assert "does not have authorization" in error["message"]
    assert error["details"] == ("AuthorizationFailed: The client does not have authorization",)


def test_a_container_that_dies_is_seen_by_a_check_and_explained():
    world = World(ONE)
    run = world.start()
    world.drain(keep=LATER)
    attempt = attempt_id(run, "only")
    world.arm.finish(attempt, exit_code=137, log="one\ntwo\n", at=world.moment)

    world.drain(within=20, keep=(StepCleanup.queue,))

    error = world.show(run)["error"]
    assert (error["kind"], error["exit_code"], error["log"]) == ("exit_code", 137, ("one", "two"))
    assert "memory" in error["hint"]
    assert world.statuses(run) == {"only": "failed"}


def test_a_lost_callback_is_made_good_by_the_verdict_in_the_log():
    world = World("name: sample\nsteps: {only: {image: img, outputs: {rows: integer}}}")
    run = world.start()
    world.drain(keep=LATER)
    attempt = attempt_id(run, "only")
    said = json.dumps({"loadme": {"attempt": attempt, "status": "succeeded", "exit_code": 0, "outputs": {"rows": "7"}}})
    world.arm.finish(attempt, log=f"working\n::{said}::\n", at=world.moment)

    world.drain(within=20, keep=(StepCleanup.queue,))

    assert world.show(run)["outputs"] == {"rows": 7}


def test_a_verdict_of_failure_is_believed_although_the_exit_code_is_zero():
    world = World(ONE)
    run = world.start()
    world.drain(keep=LATER)
    attempt = attempt_id(run, "only")
    said = json.dumps({"loadme": {"attempt": attempt, "status": "failed", "exit_code": 3}})
    world.arm.finish(attempt, log=f"::{said}::\n", at=world.moment)

    world.drain(within=20, keep=(StepCleanup.queue,))

    assert (world.show(run)["error"]["kind"], world.show(run)["error"]["exit_code"]) == ("exit_code", 3)


def test_outputs_are_read_from_the_log_only_where_the_step_says_so():
    world = World("name: sample\nsteps: {said: {image: img, outputs_from: log, outputs: {rows: integer}}, silent: {image: img}}")
    run = world.start()
    world.drain(keep=LATER)
    for step in ("said", "silent"):
        world.arm.finish(attempt_id(run, step), log='::{"outputs":{"rows":3}}::\n', at=world.moment)

    world.drain(within=20, keep=(StepCleanup.queue,))

    outputs = {step["name"]: step["outputs"] for step in world.show(run)["steps"]}
    assert outputs == {"said": {"rows": 3}, "silent": {}}


def test_exit_code_zero_without_the_required_outputs_is_a_failure_that_names_them():
    world = World("name: sample\nsteps: {only: {image: img, outputs: {rows: integer}}}")
    run = world.start()
    world.drain(keep=LATER)
    world.arm.finish(attempt_id(run, "only"), at=world.moment)

    world.drain(within=20, keep=(StepCleanup.queue,))

    error = world.show(run)["error"]
    assert error["kind"] == "outputs"
    assert "rows" in " ".join(error["details"])


def test_an_image_that_cannot_be_pulled_fails_the_run_with_azures_words():
    world = World(ONE)
    run = world.start()
    world.drain(keep=LATER)
    world.arm.fail_deployment(attempt_id(run, "only"), "InaccessibleImage", "The image 'img' is not accessible.")

    world.drain(within=20, keep=(StepCleanup.queue,))

    error = world.show(run)["error"]
    assert error["kind"] == "image"
    assert "The image 'img' is not accessible." in error["message"]


def test_a_container_that_hangs_is_timed_out_soon_after_its_timeout():
    world = World("name: sample\nsteps: {only: {image: img, timeout: 90s}}")
    run = world.start()
    world.drain(keep=LATER)
    world.arm.start(attempt_id(run, "only"), at=world.moment)

    world.drain(within=89, keep=(StepCleanup.queue,))
    assert world.show(run)["status"] == "running"
    world.drain(within=15, keep=(StepCleanup.queue,))

    error = world.show(run)["error"]
    assert (error["kind"], world.statuses(run)) == ("timed_out", {"only": "failed"})
    assert queries.list_items(world.services, run.id, "only")["items"][0]["status"] == "timed_out"


def test_a_container_that_never_starts_is_given_up_after_the_start_allowance():
    world = World("name: sample\nsteps: {only: {image: img, retry: {infrastructure: 0}}}")
    run = world.start()
    world.drain(within=29 * 60)
    assert world.show(run)["status"] == "running"

    world.drain(within=5 * 60)

    assert "had not started" in world.show(run)["error"]["message"]


def test_dependants_of_a_failed_step_are_skipped_and_other_branches_go_on():
    world = World("name: sample\nsteps: {a: {image: img}, b: {image: img}, after-a: {image: img, needs: [a]}}")
    run = world.start()
    world.drain(keep=LATER)
    world.arm.finish(attempt_id(run, "a"), exit_code=1, at=world.moment)
    world.drain(within=20, keep=(StepCleanup.queue,))

    assert world.statuses(run) == {"a": "failed", "b": "running", "after-a": "skipped"}
    world.report(attempt_id(run, "b"))
    world.drain(keep=LATER)
    assert world.show(run)["status"] == "failed"


def test_a_step_whose_condition_is_false_is_skipped_without_a_container():
    world = World(
        "name: sample\nvariables: {big: false}\nsteps: {a: {image: img, if: '${{ variables.big }}'}, b: {image: img, needs: [a]}}"
    )
    run = world.start()
    world.drain(keep=LATER)

    assert world.statuses(run) == {"a": "skipped", "b": "skipped"}
    assert (world.show(run)["status"], dict(world.arm.starts)) == ("succeeded", {})


def test_an_expression_that_fails_at_run_time_fails_its_step_and_names_itself():
    world = World("name: sample\nvariables: {n: 0}\nsteps: {a: {image: img, env: {X: '${{ 1 / variables.n }}'}}}")
    run = world.start()
    world.drain(keep=LATER)

    error = world.show(run)["error"]
    assert error["kind"] == "expression"
    assert "1 / variables.n" in error["message"]


def test_cleanup_archives_the_log_then_deletes_group_and_deployment_record_and_lets_the_run_go():
    world = World(ONE)
    run = world.start()
    world.drain(keep=LATER)
    attempt = attempt_id(run, "only")
    world.arm.start(attempt, at=world.moment)
    world.arm.contents[attempt] = "first line\n"
    world.report(attempt)
    world.drain(keep=LATER)
    assert archive.read(world.services, attempt) == "first line\n"
    world.arm.finish(attempt, log="first line\nlast line\n", at=world.moment)

    world.drain(within=3)

    assert (world.arm.container_groups, world.arm.deployments) == ({}, {})
    assert queries.read_log(world.services, run.id, "only") == "first line\nlast line\n"
    assert world.tables.list("open") != []
    world.drain(within=200)
    assert world.tables.list("open") == []
    assert world.queues.sent == []


def test_a_container_that_has_reported_but_does_not_end_is_deleted_after_half_a_minute():
    world = World(ONE)
    run = world.start()
    world.drain(keep=LATER)
    attempt = attempt_id(run, "only")
    world.arm.start(attempt, at=world.moment)
    world.report(attempt)

    world.drain(within=20)
    assert attempt in world.arm.container_groups
    world.drain(within=60)
    assert attempt not in world.arm.container_groups


def test_a_group_that_comes_late_is_deleted_too():
    world = World(ONE)
    run = world.start()
    world.drain(keep=LATER)
    attempt = attempt_id(run, "only")
    group, deployment = world.arm.container_groups.pop(attempt), world.arm.deployments.pop(attempt)
    world.report(attempt)
    world.drain(within=30)

    world.arm.container_groups[attempt], world.arm.deployments[attempt] = group, deployment
    world.drain(within=150)
    assert attempt not in world.arm.container_groups


def test_the_same_idempotency_key_with_the_same_variables_is_the_same_run():
    world = World("name: sample\nvariables: {x: 1}\nsteps: {only: {image: img}}")
    first = world.start(key="k", x=2)
    world.pass_time(60)

    assert world.start(key="k", x=2).id == first.id
    with pytest.raises(Rejected, match="other variables") as refused:
        world.start(key="k", x=3)
    assert refused.value.status == 409
    assert len(queries.list_runs(world.services, queries.Query())["runs"]) == 1


def test_a_start_that_was_cut_between_its_key_and_its_run_makes_the_run_when_it_comes_again():
    world = World(ONE)
    world.tables.rows.clear()
    real = world.tables.write
    calls = iter([True, False])
    world.tables.write = lambda rows: real(rows) if next(calls) else (_ for _ in ()).throw(MemoryError)
    with pytest.raises(MemoryError):
        world.start(key="k")
    world.tables.write = real

    run = world.start(key="k")
    assert world.show(run)["status"] == "running"
    assert world.start(key="k").id == run.id


def test_two_starts_with_one_key_at_once_give_the_run_that_is_stored_with_its_own_defaults():
    world = World("name: sample\nvariables: {at: '${{ run.created_at }}'}\nsteps: {only: {image: img}}")
    real, inside = world.tables.write, iter([True])

    def write(rows):
        if rows[0].row == "run" and not rows[0].partition.startswith("key~") and next(inside, False):
            world.pass_time(60)
            world.start(key="k")
        return real(rows)

    world.tables.write = write
    run = world.start(key="k")
    world.drain(keep=LATER)

    assert world.show(run)["variables"] == {"at": "2030-01-01T12:01:00.000Z"}
    assert run.created_at == store.read_run(world.tables, run.id).run.created_at
    assert world.environment(attempt_id(run, "only"))["___AT"] == "2030-01-01T12:01:00.000Z"


def test_large_variables_travel_as_claim_checks_and_stay_out_of_the_environment():
    world = World("name: sample\nvariables: {text: ''}\nsteps: {only: {image: img}}")
    run = world.start(text="x" * 100_000)
    body = world.queues.bodies(StepRequest.queue)[0]
    world.drain(keep=LATER)
    attempt = attempt_id(run, "only")

    assert len(body) < 1000
    assert "___TEXT" not in world.environment(attempt)
    from loadme.handlers import callback as callbacks

    assert callbacks.given_variables(world.services, world.call(attempt)) == {"text": "x" * 100_000}


def test_the_patrol_sends_again_what_was_lost_with_the_queues():
    world = World(ONE)
    run = world.start()
    world.queues.sent.clear()
    assert patrol(world.services)["looked"] == 0
    world.pass_time(301)

    assert patrol(world.services)["looked"] == 1
    assert patrol(world.services)["looked"] == 0
    world.drain(keep=LATER)

    assert world.statuses(run) == {"only": "running"}


def test_the_patrol_drops_what_a_cut_start_left_and_what_is_over():
    world = World(ONE)
    run = world.start()
    del world.tables.rows[run.id, "run"]
    world.pass_time(61)
    patrol(world.services)
    assert world.tables.list("open") != [], "whoever starts it may be about to store it"
    world.pass_time(301)
    patrol(world.services)
    assert world.tables.list("open") == []


@pytest.mark.parametrize("queue", [StepRequest.queue, StepOutcome.queue, StepCheck.queue, StepCleanup.queue])
def test_every_message_may_come_twice(queue):
    world = World(DIAMOND)
    run = world.start()
    seen: set[str] = set()
    for _ in range(40):
        for message in [one for one in world.queues.sent if one.queue == queue and one.body not in seen]:
            seen.add(message.body)
            world.queues.sent.append(message)
        world.drain(within=2)
        _let_work(world)
    world.drain(within=600)

    assert world.show(run)["status"] == "succeeded"
    assert set(world.arm.starts.values()) == {1}
    assert (world.arm.container_groups, world.queues.sent, world.tables.list("open")) == ({}, [], [])


def _let_work(world: World) -> None:
    for name, group in list(world.arm.container_groups.items()):
        if group.state == "Pending":
            outputs = {"parts": ["a", "b"], "region": "r"} if "-split-" in name else {"left": 1} if "-left-" in name else {}
            world.report(name, **outputs)
            world.arm.finish(name, at=world.moment)
