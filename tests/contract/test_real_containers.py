"""Containers run by Podman: what a group asks for, it has."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from localcloud.containers import Terminal
from tests.contract.local_arm import wait_for
from tests.contract.real_containers import GROUPS, OPEN_IMAGE, RealCloud

ROOT = Path(__file__).parents[2]
SH = ("/bin/sh", "-c")


def beside(name: str, *words: str, memory: float = 0.5, **more: Any) -> dict[str, Any]:
    """Another container of a group."""
    resources = {"requests": {"cpu": 0.5, "memoryInGB": memory}}
    return {"name": name, "properties": {"image": OPEN_IMAGE, "command": list(words), "resources": resources, **more}}


def init(name: str, *words: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "properties": {"image": OPEN_IMAGE, "command": list(words), **more}}


def test_an_image_runs_its_own_command_and_has_its_own_environment_the_platform_s_and_the_group_s_and_no_other(real: RealCloud) -> None:
    variables = [{"name": "PLAIN", "value": " a b"}, {"name": "SECRET", "secureValue": "two\nlines"}]
    real.put("own")
    real.put("env", *SH, "env; exit 3", main={"environmentVariables": variables})

    assert (real.over("own")["exitCode"], real.log("own")) == (0, "hello\n")
    assert (real.over("env")["exitCode"], real.over("env")["detailStatus"]) == (3, "Error")
    shown = real.log("env")
    assert {"FROM_IMAGE=yes", "PLAIN= a b", "SECRET=two", "lines", "HOSTNAME=SandboxHost-env"} <= set(shown.splitlines())
    names = {line.split("=")[0] for line in shown.splitlines() if "=" in line}
    own = {"FROM_IMAGE", "HOME", "HOSTNAME", "PATH", "PLAIN", "SECRET", "SSL_CERT_FILE"}
    # Two are the shell's, and one is there only where a group has no network of its own.
    assert names - {"PWD", "SHLVL", "AZURE_POD_IDENTITY_AUTHORITY_HOST"} == own


def test_a_command_replaces_the_image_s_and_is_no_shell_s(real: RealCloud) -> None:
    real.put("echo", "/bin/busybox", "echo", "$HOME", "a  b")
    real.put("absent", "/no/such")

    assert (real.over("echo")["exitCode"], real.log("echo")) == (0, "$HOME a  b\n")
    assert real.over("absent")["exitCode"] == 127
    assert "no such file or directory" in real.log("absent")


def test_init_containers_and_others_share_volumes_and_the_loopback(real: RealCloud) -> None:
    volumes = [
        {"name": "scratch", "emptyDir": {}},
        {"name": "certificates", "secret": {"key.pem": "c2VjcmV0"}},
        {
            "name": "inbox",
            "azureFile": {"shareName": "inbox", "storageAccountName": "acc", "storageAccountKey": "the key", "readOnly": True},
        },
    ]
    (real.folder / "shares" / "acc" / "inbox").mkdir(parents=True)
    (real.folder / "shares" / "acc" / "inbox" / "file").write_text("shared\n")
    scratch = {"volumeMounts": [{"name": "scratch", "mountPath": "/work"}]}
    everything = [*scratch["volumeMounts"], {"name": "certificates", "mountPath": "/tls"}, {"name": "inbox", "mountPath": "/work/in"}]
    script = "cat /work/made /tls/key.pem /work/in/file; touch /tls/a /work/in/a; wget -qO- http://127.0.0.1:18431/made; touch /work/stop"
    serve = "busybox httpd -p 127.0.0.1:18431 -h /work && while [ ! -e /work/stop ]; do sleep 0.1; done"
    real.put(
        "whole",
        *SH,
        f"while ! wget -qO /dev/null http://127.0.0.1:18431/made; do sleep 0.1; done; {script}",
        main={"volumeMounts": everything},
        others=[beside("server", *SH, serve, **scratch)],
        initContainers=[init("one", *SH, "echo one > /work/made", **scratch), init("two", *SH, "echo two >> /work/made", **scratch)],
        volumes=volumes,
    )

    assert real.over("whole")["exitCode"] == 0
    # The engine reads output and errors apart: each is in order, but not one with the other.
    lines = [line for line in real.log("whole").splitlines() if "connect" not in line.lower()]
    assert [line for line in lines if "touch" not in line] == ["one", "two", "secretshared", "one", "two"]
    assert [line for line in lines if "touch" in line] == [f"touch: {path}/a: Read-only file system" for path in ("/tls", "/work/in")]


def test_a_container_that_uses_more_memory_than_it_may_is_killed_and_others_are_not(real: RealCloud) -> None:
    resources = {"requests": {"cpu": 0.5, "memoryInGB": 0.1}}
    words = (*SH, "exec tail -c 500m /dev/zero")
    cpu = beside("cpu", *SH, "cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>&1; true", memory=0.9)
    real.put("oom", *words, main={"resources": resources}, others=[cpu])

    assert (real.over("oom")["exitCode"], real.over("oom")["detailStatus"]) == (137, "OOMKilled")
    other = real.view("oom")["containers"][1]["properties"]["instanceView"]["currentState"]
    assert (other["exitCode"], other["detailStatus"]) == (0, "Completed")
    assert "50000" in real.log("oom", "cpu")


def test_a_container_that_fails_is_started_again_and_keeps_its_image(real: RealCloud) -> None:
    real.put(
        "again",
        *SH,
        "test -e /keep/there || { touch /keep/there; exit 1; }",
        main={"volumeMounts": [{"name": "scratch", "mountPath": "/keep"}]},
        restartPolicy="OnFailure",
        volumes=[{"name": "scratch", "emptyDir": {}}],
    )

    assert real.over("again")["exitCode"] == 0
    view = real.view("again")["containers"][0]["properties"]["instanceView"]
    assert (view["restartCount"], view["previousState"]["exitCode"]) == (1, 1)


def test_a_log_is_read_while_the_container_runs_with_times_and_from_its_end(real: RealCloud) -> None:
    real.put("logs", *SH, "echo one; sleep 0.3; echo two >&2; sleep 0.3; printf three; while ! test -e /tmp/stop; do sleep 0.1; done")

    wait_for(lambda: "three" in real.log("logs"), "the log to be written", 20)

    assert real.summary("logs")["state"] == "Running"
    assert real.log("logs") == "one\ntwo\nthree"
    assert real.log("logs", tail="1") == "three"
    stamp, _, word = real.log("logs", timestamps="true").splitlines()[0].partition(" ")
    assert (word, stamp[:2], stamp[-1]) == ("one", "20", "Z")
    real.call("DELETE", f"{GROUPS}/logs")


def test_a_delete_asks_the_container_to_end_and_leaves_nothing(real: RealCloud) -> None:
    share = {"name": "output", "azureFile": {"shareName": "out", "storageAccountName": "acc", "storageAccountKey": "the key"}}
    mounts = {"volumeMounts": [{"name": "output", "mountPath": "/out"}]}
    script = "trap 'echo asked > /out/asked; exit 0' TERM; echo up; while :; do sleep 0.1; done"
    real.put("stop", *SH, script, main=mounts, volumes=[share])
    wait_for(lambda: real.log("stop") == "up\n", "the container to be up", 20)
    assert len([name for name in real.running() if name.startswith("stop.main.")]) == 1

    real.call("DELETE", f"{GROUPS}/stop")

    asked = real.folder / "shares" / "acc" / "out" / "asked"
    wait_for(lambda: asked.exists() and asked.read_text(), "the container to be asked", 20)
    wait_for(lambda: not [name for name in real.running() if name.startswith("stop.")], "the container to go", 20)
    wait_for(lambda: not list((real.folder / "containers").glob("stop.*")), "its files to go", 20)


def test_a_command_can_be_run_in_a_container_that_runs(real: RealCloud) -> None:
    real.put("shell", *SH, "echo up; while :; do sleep 0.1; done", main={"environmentVariables": [{"name": "A", "value": "here"}]})
    wait_for(lambda: real.log("shell") == "up\n", "the container to be up", 20)
    with real.state.lock:
        container = real.state.containers.groups.by_id[f"{GROUPS}/shell".lower()].containers[0].process
    assert container is not None

    terminal: Terminal = container.execute(["/bin/sh"], 24, 80)
    terminal.write(b"echo $A; exit 7\n")
    said = b"".join(iter(terminal.read, b""))

    assert b"here\r\n" in said
    assert terminal.close() == 7
    real.call("DELETE", f"{GROUPS}/shell")


def test_no_container_outlives_the_hard_death_of_its_cloud(real: RealCloud, tmp_path: Path) -> None:
    program = textwrap.dedent(f"""
        import sys, time
        from pathlib import Path
        from localcloud.containers import Launch, Pull
        from localcloud.containers.engine import find
        from localcloud.containers.manifests import Place
        from localcloud.containers.real import Platform, RealRuntime
        class Registries:
            def place(self, image): return Place(url="http://{real.registry.address}", repository="loadme.local/busybox", reference="1")
            def login(self, place, login): return None
            def digest(self, place, login): return sys.argv[1]
        folder = Path({str(tmp_path)!r})
        platform = Platform(environment={{}}, folders={{}})
        runtime = RealRuntime(find("podman"), folder / "c", Registries(), platform, folder / "s", str(folder))
        came = []
        runtime.pull(Pull(group="doomed", image="i"), print, came.append)
        while not came: time.sleep(0.02)
        command = ("/bin/sh", "-c", "echo up; while :; do sleep 0.1; done")
        container = runtime.start(Launch(group="doomed", container="main", image="i", command=command, environment={{}}), print)
        while b"up" not in container.log(): time.sleep(0.02)
        print("up", flush=True)
        time.sleep(600)
    """)
    digest = json.dumps(real.view("own")["containers"][0]["properties"]["instanceView"]["events"]).partition("@")[2].partition("\\")[0]
    with subprocess.Popen([sys.executable, "-c", program, digest], stdout=subprocess.PIPE, text=True, cwd=ROOT) as owner:
        assert owner.stdout is not None
        while owner.stdout.readline() not in ("up\n", ""):
            pass
        assert [name for name in real.running() if name.startswith("doomed.")]
        owner.kill()
        owner.wait()
        wait_for(lambda: not [name for name in real.running() if name.startswith("doomed.")], "the container to die with its owner", 20)


def test_a_container_runs_as_whom_the_group_says_and_with_the_capabilities_that_it_says(real: RealCloud) -> None:
    script = "id -u; id -g; grep -E 'CapBnd|NoNewPrivs' /proc/self/status"
    asked = {
        "runAsUser": 1000,
        "runAsGroup": 1001,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"], "add": ["NET_RAW"]},
    }
    real.put("whom", *SH, script, main={"securityContext": asked})

    assert real.over("whom")["exitCode"] == 0
    user, group, bounding, gains = real.log("whom").splitlines()
    assert (user, group, gains.split()[1]) == ("1000", "1001", "1")
    assert int(bounding.split()[1], 16) == 1 << 13  # NET_RAW, and no other
