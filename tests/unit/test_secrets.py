"""Secrets: what steps refer to in Key Vault, and what they give back, which no table, blob, queue, log or answer ever holds."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from loadme import settings, store
from loadme.cli import validating
from loadme.core import secrets
from loadme.core.arm import TemplateParameter
from loadme.core.ids import AttemptId
from loadme.core.messages import StepCheck, StepCleanup
from loadme.core.secrets import Kept
from loadme.definitions.references import Reference, parse
from loadme.errors import Rejected, Terminal, Unavailable
from loadme.handlers import callback as callbacks
from loadme.handlers import purge, queries, signals
from loadme.handlers.queries import LogQuery
from loadme.handlers.signals import Answer
from tests.unit.test_small_parts import ENVIRONMENT
from tests.world import PARAMETERS, SPEC, World, attempt_id

LATER = (StepCheck.queue, StepCleanup.queue)
VALUE = "correct horse battery staple"
SAS = "keyvault://contoso/report-sas"
REFERRING = f"""
name: sample
defaults: {{secrets: {{SAS: "{SAS}", OTHER: "keyvault://contoso/absent"}}}}
steps:
  only: {{image: img, secrets: {{OTHER: "keyvault://fabrikam/other"}}}}
"""
GIVING = """
name: sample
steps:
  login:
    image: img
    outputs: {Api_Token: secret, rows: integer}
  use:
    needs: [login]
    image: img
    env: {PASSWORD: "${{ variables.Api_Token }}", PLAIN: "${{ variables.rows }}"}
    command: [use, "${{ variables.Api_Token }}"]
"""


def started(text: str, **changes: object) -> tuple[World, str]:
    """A world, and the id of its run, whose first step has just been deployed."""
    world = World(text, **changes)
    world.vault.secrets = {SAS: VALUE, "keyvault://fabrikam/other": "another value"}
    run = world.start()
    world.drain(keep=LATER)
    return world, run.id


def gave(world: World, run: str, **outputs: object) -> str:
    """The step `login` reports; the id of the attempt of `use`, which is deployed then."""
    world.report(f"lm-{run}-login-0-1", **(outputs or {"Api_Token": VALUE, "rows": 3}))
    world.drain(keep=LATER)
    return f"lm-{run}-use-0-1"


def come_to_rest(world: World) -> None:
    """All containers end, and are cleaned up."""
    for name in [*world.arm.container_groups]:
        world.arm.finish(name, at=world.moment)
    world.drain(within=1200)


def kept_anywhere(world: World, run: str) -> str:
    """All that is stored, sent or shown."""
    shown = [queries.get_run(world.services, run), [queries.list_items(world.services, run, step) for step in ("login", "use")]]
    tags = [world.arm.container_groups, {name: {**each, "environment": ""} for name, each in world.arm.parameters.items()}]
    return repr([world.tables.rows, world.blobs.data, world.files.data, world.queues.sent, world.events, shown, tags])


def given_to(world: World, attempt: str) -> dict[str, dict[str, str]]:
    return world.arm.parameters[attempt]["environment"]


# what is referred to


def test_a_reference_names_a_vault_a_secret_and_perhaps_a_version():
    assert parse("keyvault://contoso/report-sas") == Reference("contoso", "report-sas")
    assert str(parse("keyvault://contoso/report-sas/abc1")) == "keyvault://contoso/report-sas/abc1"


@pytest.mark.parametrize(
    "text",
    [
        *("hunter2", "keyvault://contoso", "keyvault:///sas", "keyvault://a/sas", "keyvault://contoso/", "keyvault://contoso/a_b"),
        *("https://contoso.vault.azure.net/secrets/sas", "keyvault://contoso.evil.example/sas", "keyvault://contoso/sas/a/b"),
        *(
            "keyvault://contoso/../sas",
            "keyvault://contoso/sas/",
            "keyvault://contoso/sas\n",
            "keyvault://contoso-/sas",
            "Keyvault://contoso/sas",
        ),
    ],
)
def test_what_is_no_reference_is_refused_without_being_quoted(text: str):
    with pytest.raises(ValueError, match=r"secret|vault") as refused:
        parse(text)
    assert text not in str(refused.value)


def test_a_step_has_the_secrets_that_it_and_the_defaults_name_as_secure_values():
    world, run = started(REFERRING)

    given = given_to(world, f"lm-{run}-only-0-1")

    assert (given["secure"]["SAS"], given["secure"]["OTHER"]) == (VALUE, "another value")
    assert not {"SAS", "OTHER"} & given["plain"].keys()


def test_a_secret_is_read_anew_by_each_attempt():
    world, run = started(
        f'name: sample\nsteps:\n  only: {{image: img, secrets: {{SAS: "{SAS}"}}, retry: {{attempts: 2, delay: 1s, jitter: none}}}}\n'
    )
    first = f"lm-{run}-only-0-1"
    world.vault.secrets[SAS] = "rotated since"
    callbacks.failure(world.services, world.call(first, {"message": "it broke"}))
    come_to_rest(world)

    assert given_to(world, first)["secure"]["SAS"] == VALUE
    assert given_to(world, f"lm-{run}-only-0-2")["secure"]["SAS"] == "rotated since"


@pytest.mark.parametrize(
    ("error", "said", "fix"),
    [
        (None, "does not exist", "put the secret into the vault"),
        (
            Terminal("reading it: Forbidden: Caller is not authorized", code="Forbidden"),
            "Caller is not authorized",
            "Key Vault Secrets User",
        ),
    ],
)
def test_a_secret_that_cannot_be_had_fails_the_step_with_its_name_and_the_fix(error: Terminal | None, said: str, fix: str):
    world = World(f'name: sample\nsteps:\n  only: {{image: img, secrets: {{SAS: "{SAS}"}}, retry: {{attempts: 5}}}}\n')
    world.vault.errors["read"] += [error] if error else []
    run = world.start()
    world.drain(within=600)

    shown = world.ended(run)

    assert shown["kind"] == "refused"
    assert SAS in shown["message"]
    assert said in shown["message"]
    assert fix in shown["hint"]
    assert world.arm.starts == {}


def test_an_outage_of_the_vault_is_waited_for_visibly():
    world = World(f'name: sample\nsteps:\n  only: {{image: img, secrets: {{SAS: "{SAS}"}}}}\n')
    world.vault.secrets[SAS] = VALUE
    world.vault.errors["read"] += [Unavailable("reading secret report-sas of the vault contoso: no answer")]
    run = world.start()
    world.drain(within=2, keep=LATER)
    assert "the vault contoso" in world.show(run)["steps"][0]["waiting"]["why"]

    world.drain(within=60, keep=LATER)

    assert given_to(world, attempt_id(run, "only"))["secure"]["SAS"] == VALUE


def test_secrets_are_refused_by_a_template_that_would_leave_them_readable():
    world = World(f'name: sample\nsteps:\n  only: {{image: img, secrets: {{SAS: "{SAS}"}}}}\n')
    world.vault.secrets[SAS] = VALUE
    world.arm.specs = {
        SPEC: (*tuple(one for one in PARAMETERS if one.name != "environment"), TemplateParameter("EnvironmentVariables", "array", False))
    }
    run = world.start()
    world.drain(within=600)

    shown = world.ended(run)

    assert (shown["kind"], "secureObject: secrets in an array would stay readable" in shown["message"]) == ("refused", True)
    assert VALUE not in repr(world.tables.rows)


# what a step gives back


def test_the_next_step_gets_a_secret_output_as_a_secure_value_by_variable_and_by_env():
    world, run = started(GIVING)

    given = given_to(world, gave(world, run))

    assert (given["secure"]["___API_TOKEN"], given["secure"]["PASSWORD"]) == (VALUE, VALUE)
    assert (given["plain"]["___ROWS"], given["plain"]["PLAIN"]) == ("3", "3")
    assert not {"___API_TOKEN", "PASSWORD"} & given["plain"].keys()


def test_a_sidecar_gets_a_secret_of_its_own_environment_as_a_secure_value_too():
    beside = '    sidecars: {proxy: {image: proxy, env: {AUTH: "${{ variables.Api_Token }}", MODE: fast}}}\n'
    world = World(GIVING + beside)
    world.arm.specs = {SPEC: (*PARAMETERS, TemplateParameter("sidecars", "array", True))}
    run = world.start().id
    world.drain(keep=LATER)

    given = given_to(world, gave(world, run))["beside"]["proxy"]

    assert given == {"plain": {"MODE": "fast"}, "secure": {"AUTH": VALUE}}


def test_a_name_that_is_a_secret_for_a_sidecar_alone_is_in_its_environment_once():
    sidecar = '{proxy: {image: p, env: {PLAIN: "${{ variables.Api_Token }}"}}, other: {image: o}}'
    world, run = started(GIVING.replace("    command:", f"    sidecars: {sidecar}\n    command:"))
    use = gave(world, run)

    given = world.arm.parameters[use]["environment"]
    assert "PLAIN" not in given["plain"]
    assert given["secure"]["PLAIN"] == "3"
    assert given["beside"]["proxy"] == {"plain": {}, "secure": {"PLAIN": VALUE}}
    assert given["beside"]["other"] == {"plain": {}, "secure": {}}


def test_the_value_of_a_secret_output_is_in_no_table_blob_queue_event_or_answer():
    world, run = started(GIVING)
    gave(world, run)
    world.report(f"lm-{run}-use-0-1")
    world.drain(within=600)
    assert queries.get_run(world.services, run)["status"] == "succeeded"
    assert VALUE not in kept_anywhere(world, run)
    assert VALUE in repr(world.vault.own)


def test_a_secret_output_is_shown_as_a_reference_to_its_one_version():
    world, run = started(GIVING)
    gave(world, run)

    shown = queries.get_run(world.services, run)["outputs"]

    assert shown == {"Api_Token": {"keyvault": f"lm-{run}-login-0-1-api-token/{1:032x}"}, "rows": 3}


def test_the_same_report_again_is_accepted_and_another_one_is_not_and_neither_writes_a_secret():
    world, run = started(GIVING)
    gave(world, run)

    assert world.report(f"lm-{run}-login-0-1", Api_Token=VALUE, rows=3) == "accepted"
    with pytest.raises(Rejected) as other:
        world.report(f"lm-{run}-login-0-1", Api_Token="another", rows=3)

    assert other.value.status == 409
    assert world.vault.own == {f"lm-{run}-login-0-1-api-token": [VALUE]}


def test_the_digest_of_a_report_with_secrets_cannot_be_tried_out():
    world, run = started(GIVING)
    gave(world, run)
    body = json.dumps({"Api_Token": VALUE, "rows": 3}).encode()

    assert hashlib.sha256(b"outputs" + body).hexdigest() not in kept_anywhere(world, run)


@pytest.mark.parametrize("value", [3, {"a": 1}, ["x"], None, True, "", "x" * 25_601, "ü" * 12_801, {"keyvault": "lm-a/b"}])
def test_a_secret_that_is_no_text_or_too_long_is_refused_without_being_quoted(value: object):
    world, run = started(GIVING)
    with pytest.raises(Rejected, match="Api_Token: must be text of 1 to 25,600 bytes") as refused:
        world.report(f"lm-{run}-login-0-1", Api_Token=value, rows=3)
    assert refused.value.status == 422
    assert world.vault.own == {}


def test_without_a_vault_of_the_apps_own_a_secret_output_is_refused_and_the_step_fails_saying_why():
    world, run = started(GIVING)
    world.vault.has_own = False

    with pytest.raises(Rejected, match="LOADME_KEY_VAULT") as refused:
        world.report(f"lm-{run}-login-0-1", Api_Token=VALUE, rows=3)
    world.drain(within=600)
    with pytest.raises(Rejected, match="LOADME_KEY_VAULT") as again:
        world.report(f"lm-{run}-login-0-1", Api_Token=VALUE, rows=3)

    assert (refused.value.status, again.value.status) == (422, 422)
    shown = queries.get_run(world.services, run)["error"]
    assert (shown["kind"], shown["step"]) == ("outputs", "login")
    assert "LOADME_KEY_VAULT is not set" in shown["message"]
    assert VALUE not in kept_anywhere(world, run)


def test_a_missing_role_on_the_apps_vault_is_named():
    world, run = started(GIVING)
    world.vault.errors["keep"].append(Terminal("keeping it: Forbidden", code="Forbidden"))
    with pytest.raises(Rejected, match="Key Vault Secrets Officer"):
        world.report(f"lm-{run}-login-0-1", Api_Token=VALUE, rows=3)


def test_an_outage_of_the_apps_vault_is_answered_so_that_the_container_tries_again():
    world, run = started(GIVING)
    world.vault.errors["keep"].append(Unavailable("no answer"))
    with pytest.raises(Unavailable):
        world.report(f"lm-{run}-login-0-1", Api_Token=VALUE, rows=3)
    assert gave(world, run) in world.arm.parameters


def test_a_secret_in_the_log_is_refused():
    world, run = started(GIVING)
    said = {"attempt": f"lm-{run}-login-0-1", "status": "succeeded", "exit_code": 0, "outputs": {"api_token": VALUE, "rows": 3}}
    world.arm.finish(f"lm-{run}-login-0-1", log=f"::{json.dumps({'loadme': said})}::\n", at=world.moment)
    world.drain(within=600)

    shown = queries.get_run(world.services, run)["error"]

    assert shown["kind"] == "outputs"
    assert "Api_Token: is a secret, and stands in the container's log" in shown["message"]
    assert VALUE not in repr([shown, world.tables.rows, world.vault.own])


def test_a_container_that_ends_without_a_callback_has_not_brought_its_secret():
    world, run = started(GIVING)
    world.arm.finish(f"lm-{run}-login-0-1", at=world.moment)
    world.drain(within=600)
    message = queries.get_run(world.services, run)["error"]["message"]
    assert message == "Api_Token: is a secret, which only a callback can bring, and the container ended without one"


def test_the_runner_is_told_which_outputs_are_secrets():
    world, run = started(GIVING)
    assert given_to(world, f"lm-{run}-login-0-1")["plain"]["LOADME_SECRET_OUTPUTS"] == "Api_Token"
    assert "LOADME_SECRET_OUTPUTS" not in given_to(world, gave(world, run))["plain"]


def test_the_variables_route_gives_the_value_to_the_attempt_alone():
    world, run = started(GIVING)
    use = gave(world, run)

    assert callbacks.given_variables(world.services, world.call(use)) == {"Api_Token": VALUE, "rows": 3}
    with pytest.raises(Rejected) as refused:
        callbacks.given_variables(world.services, world.call(use, token="v1.k1.1.x"))
    assert refused.value.status == 401


@pytest.mark.parametrize(
    "value",
    [
        {"keyvault": f"lm-{'0' * 20}-login-0-1-api-token/{1:032x}"},
        {"keyvault": "keyvault://contoso/report-sas"},
        {"keyvault": "report-sas/1"},
        {"keyvault": ["lm"]},
    ],
)
def test_a_variable_that_looks_like_a_reference_gives_nothing_away(value: object):
    world = World("name: sample\nvariables: {x: {}}\nsteps: {only: {image: img, env: {Y: '${{ variables.x }}'}}}\n")
    world.vault.own = {f"lm-{'0' * 20}-login-0-1-api-token": [VALUE], "report-sas": [VALUE]}
    world.vault.secrets[SAS] = VALUE
    run = world.start(x=value)
    world.drain(keep=LATER)
    attempt = attempt_id(run, "only")

    assert json.loads(given_to(world, attempt)["plain"]["___X"]) == value
    assert callbacks.given_variables(world.services, world.call(attempt)) == {"x": value}
    assert world.vault.reads == []


def test_a_run_that_is_a_step_of_another_one_may_have_the_secrets_of_that_one():
    world, run = started(GIVING)
    alone = store.read_run(world.tables, run).run
    child = replace(alone, ancestors=("1" * 20,))
    above = {"keyvault": f"lm-{'1' * 20}-login-0-1-token/{1:032x}"}

    assert secrets.in_variables({"t": above}, child) == {"t": Kept(f"lm-{'1' * 20}-login-0-1-token", f"{1:032x}")}
    assert secrets.in_variables({"t": above}, alone) == {}


def test_no_two_outputs_of_an_attempt_share_a_secrets_name_and_key_vault_takes_each():
    attempt = AttemptId("0" * 20, "s" * 28, 99999, 999)
    names = [secrets.name_of(attempt, output) for output in ("a", "a_", "a__", "ab", "a_b", "x" * 60)]
    assert len(set(names)) == len(names)
    assert all(len(name) <= 127 and name.replace("-", "").isalnum() for name in names)


# other kinds of step


PARENT = """
name: parent
steps:
  child: {workflow: sample, outputs: {pass: secret, rows: integer}}
  use: {needs: [child], image: img}
"""


def test_a_secret_of_another_workflow_comes_up_as_one_of_the_parent_and_goes_with_each_of_the_two():
    world = World(PARENT, GIVING + 'outputs: {pass: "${{ steps.login.outputs.Api_Token }}", rows: "${{ steps.login.outputs.rows }}"}\n')
    run = world.start("parent")
    world.drain(keep=LATER)
    child = next(name for name in world.arm.parameters if "-login-" in name).split("-")[1]
    world.report(gave(world, child))
    come_to_rest(world)

    given = given_to(world, attempt_id(run, "use"))

    assert (given["secure"]["___PASS"], given["plain"]["___ROWS"]) == (VALUE, "3")
    assert {name.split("-")[1] for name in world.vault.own} == {run.id, child}
    assert VALUE not in repr([world.tables.rows, world.blobs.data, world.queues.sent, world.events, world.show(run)])


def test_an_answer_that_is_a_secret_is_kept_as_one():
    text = "name: sample\nsteps:\n  ask: {wait: {timeout: 1h}, outputs: {pass: secret}}\n  use: {needs: [ask], image: img}\n"
    world = World(text)
    run = world.start()
    world.drain(keep=LATER)

    signals.signal(world.services, Answer(run=run.id, step="ask", body={"pass": VALUE}))
    world.drain(keep=LATER)

    assert given_to(world, attempt_id(run, "use"))["secure"]["___PASS"] == VALUE
    kept = repr([world.tables.rows, world.blobs.data, world.queues.sent, world.events, world.show(run)])
    assert VALUE not in kept
    assert hashlib.sha256(json.dumps({"pass": VALUE}, separators=(",", ":")).encode()).hexdigest() not in kept
    assert signals.signal(world.services, Answer(run=run.id, step="ask", body={"pass": VALUE})) == "accepted"


MAPPED = """
name: sample
steps:
  make: {for_each: [a, b, c], image: img, outputs: {key: secret}}
  use:
    needs: [make]
    for_each: ${{ steps.make.outputs.key }}
    image: img
    env: {KEY: "${{ item }}"}
"""


def test_the_items_of_a_map_give_secrets_back_and_those_of_another_one_take_them():
    world = World(MAPPED)
    run = world.start()
    world.drain(keep=LATER)
    for item in range(3):
        world.report(attempt_id(run, "make", item), key=f"{VALUE} {item}")
    world.drain(keep=LATER)

    given = [given_to(world, attempt_id(run, "use", item)) for item in range(3)]

    assert [each["secure"]["KEY"] for each in given] == [f"{VALUE} {item}" for item in range(3)]
    assert VALUE not in repr([world.tables.rows, world.blobs.data, world.queues.sent, world.show(run)])
    come_to_rest(world)
    assert purge.delete(world.services, run.id)
    assert world.vault.own == {}


# logs


def test_a_secret_of_a_map_that_comes_by_env_is_taken_out_of_the_log_too():
    world = World(MAPPED)
    run = world.start()
    world.drain(keep=LATER)
    for item in range(3):
        world.report(attempt_id(run, "make", item), key=f"{VALUE} {item}")
    world.drain(keep=LATER)
    use = attempt_id(run, "use", 2)
    world.arm.start(use, world.moment)
    world.arm.contents[use] = f"I have {VALUE} 2\n"

    assert queries.read_log(world.services, run.id, "use", LogQuery(item="2")) == "I have ***\n"


@pytest.mark.parametrize("step", ["login", "use"])
def test_a_container_that_prints_its_secrets_does_not_publish_them(step: str):
    world, run = started(GIVING)
    use = gave(world, run)
    attempt = f"lm-{run}-{step}-0-1"
    world.arm.start(attempt, world.moment)
    world.arm.contents[attempt] = f"token={VALUE}\nfine\n"
    live = queries.read_log(world.services, run, step)
    world.arm.finish(use, log=f"token={VALUE}\nfine\n", at=world.moment)
    world.drain(within=600)

    assert live == "token=***\nfine\n"
    assert queries.read_log(world.services, run, step) == "token=***\nfine\n"
    assert VALUE not in kept_anywhere(world, run)


def test_a_failure_that_quotes_a_secret_is_shown_without_it():
    world, run = started(GIVING)
    use = gave(world, run)
    callbacks.heartbeat(world.services, world.call(use, {"text": f"login with {VALUE}"}))
    said = {"message": f"refused: {VALUE}", "log": [f"curl -H {VALUE}"], "details": [VALUE]}
    callbacks.failure(world.services, world.call(use, said))
    world.drain(within=600)

    shown = queries.get_run(world.services, run)["error"]

    assert (shown["message"], shown["log"], shown["details"]) == ("refused: ***", ("curl -H ***",), ("***",))
    assert VALUE not in kept_anywhere(world, run)


def test_the_last_lines_of_a_container_that_died_are_shown_without_its_secrets():
    world, run = started(GIVING)
    use = gave(world, run)
    world.arm.finish(use, exit_code=3, log=f"using {VALUE}\n", at=world.moment)
    world.drain(within=600)

    assert queries.get_run(world.services, run)["error"]["log"] == ("using ***",)
    assert VALUE not in kept_anywhere(world, run)


def test_each_line_of_a_secret_is_taken_out_and_what_is_very_short_is_not():
    text = "-----BEGIN KEY-----\nabcdefgh\nxy\n"
    world, run = started(GIVING)
    use = gave(world, run, Api_Token=text, rows=3)
    world.arm.finish(use, exit_code=1, log="abcdefgh | xy\n", at=world.moment)
    world.drain(within=600)

    assert queries.get_run(world.services, run)["error"]["log"] == ("*** | xy",)


def test_a_log_whose_secrets_cannot_be_read_now_is_not_saved_with_them():
    world, run = started(GIVING)
    use = gave(world, run)
    world.vault.errors["kept"] += [Unavailable("no answer")] * 2
    world.arm.finish(use, log=f"token={VALUE}\n", at=world.moment)
    world.drain(within=900)
    assert VALUE not in kept_anywhere(world, run)


def test_a_container_of_the_original_that_posts_its_environment_back_gives_no_secret_away():
    world, run = started(GIVING.replace("    needs: [login]\n", "    needs: [login]\n    callback: url\n"))
    use = gave(world, run)
    world.report(use, ___API_TOKEN=VALUE, ___ROWS="3", ___NEW="yes")
    world.drain(within=600)

    assert next(one for one in queries.get_run(world.services, run)["steps"] if one["name"] == "use")["outputs"] == {"NEW": "yes"}
    assert VALUE not in kept_anywhere(world, run)


# the end


def test_secrets_go_with_their_run():
    world, run = started(GIVING)
    gave(world, run)
    world.report(f"lm-{run}-use-0-1")
    come_to_rest(world)
    world.vault.own["lm-another"] = ["kept"]

    assert purge.delete(world.services, run)

    assert world.vault.own == {"lm-another": ["kept"]}
    assert list(world.blobs.names(f"runs/{run}/")) == []


def test_a_secret_that_was_kept_for_a_report_that_was_cut_goes_with_the_run_too():
    world, run = started(GIVING)
    keep = world.vault.keep

    def cut(name: str, value: str) -> str:
        keep(name, value)
        raise Unavailable("the answer was lost")

    world.vault.keep = cut
    with pytest.raises(Unavailable):
        world.report(f"lm-{run}-login-0-1", Api_Token=VALUE, rows=3)
    callbacks.failure(world.services, world.call(f"lm-{run}-login-0-1", {"message": "gave up"}))
    come_to_rest(world)
    assert world.vault.own

    assert purge.delete(world.services, run)
    assert world.vault.own == {}


def test_a_run_whose_secrets_cannot_be_deleted_now_is_deleted_later():
    world, run = started(GIVING)
    gave(world, run)
    world.report(f"lm-{run}-use-0-1")
    come_to_rest(world)
    world.vault.errors["remove"].append(Unavailable("no answer"))

    assert not purge.delete(world.services, run)
    assert world.vault.own
    assert purge.go_on(world.services, run)
    assert world.vault.own == {}


def test_health_names_the_workflows_that_need_a_vault_when_the_app_has_none():
    world = World(GIVING)
    shown = queries.health(world.services, "1")
    assert shown["status"] == "degraded"
    assert shown["secrets"] == [
        {"workflow": "sample", "step": "login", "output": "Api_Token", "message": "gives back a secret, and LOADME_KEY_VAULT is not set"}
    ]

    with_vault = World(GIVING, vault="https://loadme.vault.azure.net")
    assert queries.health(with_vault.services, "1")["status"] == "ok"


def test_validate_says_which_outputs_need_a_vault_unless_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "sample.yaml").write_text("name: sample\nsteps: {login: {image: img, outputs: {pass: secret}}}\n")
    monkeypatch.delenv("LOADME_KEY_VAULT", raising=False)
    (found,) = validating.validate([tmp_path])["warnings"]
    assert [error["path"] for error in found["errors"]] == ["steps.login.outputs.pass"]

    monkeypatch.setenv("LOADME_KEY_VAULT", "https://loadme.vault.azure.net")
    assert validating.validate([tmp_path])["warnings"] == []


# the settings


def test_the_vaults_are_those_of_the_public_cloud_unless_the_settings_say_otherwise():
    found = settings.read({**ENVIRONMENT, "LOADME_KEY_VAULT": "https://loadme.vault.azure.net/"}, Path())
    assert (found.vault, found.vaults) == ("https://loadme.vault.azure.net", "https://{vault}.vault.azure.net")
    assert settings.read(ENVIRONMENT, Path()).vault == ""
    china = settings.read({**ENVIRONMENT, "LOADME_KEY_VAULT_ENDPOINT": "https://{vault}.vault.azure.cn"}, Path())
    assert china.vaults == "https://{vault}.vault.azure.cn"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOADME_KEY_VAULT", "loadme"),
        ("LOADME_KEY_VAULT", "http://loadme.vault.azure.net"),
        ("LOADME_KEY_VAULT_ENDPOINT", "https://vault.azure.net"),
        ("LOADME_KEY_VAULT_ENDPOINT", "http://{vault}.vault.azure.net"),
        ("LOADME_KEY_VAULT_ENDPOINT", "https://{vault}.{name}.net"),
    ],
)
def test_an_address_that_is_none_of_a_vault_is_named(name: str, value: str):
    with pytest.raises(settings.BadSettings, match=f"{name} is '{re.escape(value)}'"):
        settings.read({**ENVIRONMENT, name: value}, Path())
