"""Container groups of the same name in two resource groups, run by Podman: each has its own files and its own identity."""

from __future__ import annotations

import json
from typing import Any

import jwt

from tests.contract.local_arm import wait_for
from tests.contract.real_containers import GROUPS, OPEN_IMAGE, RealCloud

RESOURCE_GROUP, _, PROVIDER = GROUPS.partition("/providers/")
OTHERS = f"{RESOURCE_GROUP}-2/providers/{PROVIDER}"
TOKEN = (
    'wget -q -O- --header "Metadata: true" "$HOST/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net"'
)
SCRIPT = f"HOST=${{AZURE_POD_IDENTITY_AUTHORITY_HOST:-http://169.254.169.254}}; ls /share; touch /share/mine; {TOKEN}"


def body(identity: str) -> dict[str, Any]:
    properties = {
        "image": OPEN_IMAGE,
        "command": ["/bin/sh", "-c", SCRIPT],
        "resources": {"requests": {"cpu": 1, "memoryInGB": 1}},
        "volumeMounts": [{"name": "share", "mountPath": "/share"}],
    }
    inner = {"osType": "Linux", "restartPolicy": "Never", "volumes": [{"name": "share", "emptyDir": {}}]}
    user = {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}}
    return {"location": "westeurope", "identity": user, "properties": {**inner, "containers": [{"name": "main", "properties": properties}]}}


def test_each_has_its_own_files_and_its_own_identity(real: RealCloud) -> None:
    real.call("PUT", f"{RESOURCE_GROUP}-2", {"location": "westeurope"}, **{"api-version": "2021-04-01"})
    wanted = {groups: real.identity(f"of-{at}") for at, groups in enumerate((GROUPS, OTHERS))}
    for groups, identity in wanted.items():
        reply = real.call("PUT", f"{groups}/same", body(identity))
        assert reply.status == 201, reply.body
    for groups, identity in wanted.items():
        log = over(real, groups)
        assert log.startswith("{"), log  # nothing was in the volume
        token = jwt.decode(json.loads(log)["access_token"], options={"verify_signature": False})
        assert token["xms_mirid"] == identity


def over(real: RealCloud, groups: str) -> str:
    """The log of the group, once it has ended."""

    def ended() -> bool:
        found = real.call("GET", f"{groups}/same").body["properties"]["instanceView"]["state"]
        return found in ("Succeeded", "Failed")

    wait_for(ended, f"{groups}/same to end")
    return str(real.call("GET", f"{groups}/same/containers/main/logs").body["content"])
