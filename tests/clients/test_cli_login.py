"""`az cloud register`, `az login`, `az account`."""

from __future__ import annotations

from pathlib import Path

from tests.clients.cloud import Az, RunningCloud, log_in, registered


def test_the_cloud_tells_the_cli_where_everything_is(az: Az, cloud: RunningCloud) -> None:
    shown = az("cloud", "show")

    assert shown["name"] == "loadme"
    assert shown["endpoints"]["resourceManager"] == cloud.arm
    assert shown["endpoints"]["activeDirectory"] == cloud.login
    assert shown["suffixes"]["keyvaultDns"] == ".vault.azure.net"


def test_a_service_principal_logs_in_with_its_secret(cloud: RunningCloud, tmp_path: Path) -> None:
    [account] = log_in(registered(tmp_path, cloud), cloud)

    assert account["cloudName"] == "loadme"
    assert (account["id"], account["tenantId"]) == (cloud.subscription, cloud.tenant)
    assert (account["state"], account["isDefault"]) == ("Enabled", True)
    assert account["user"] == {"name": cloud.client_id, "type": "servicePrincipal"}


def test_a_wrong_secret_is_refused_in_entras_words(cloud: RunningCloud, tmp_path: Path) -> None:
    az = registered(tmp_path, cloud)

    said = az.error("login", "--service-principal", "-u", cloud.client_id, "-p", "wrong", "--tenant", cloud.tenant)

    assert "AADSTS7000215: Invalid client secret provided." in said


def test_another_tenant_is_refused_in_entras_words(cloud: RunningCloud, tmp_path: Path) -> None:
    az = registered(tmp_path, cloud)
    tenant = "99999999-9999-4999-8999-999999999999"

    said = az.error("login", "--service-principal", "-u", cloud.client_id, "-p", cloud.secret, "--tenant", tenant)

    assert tenant in said


def test_the_account_is_shown_and_listed(az: Az, cloud: RunningCloud) -> None:
    assert az("account", "show")["id"] == cloud.subscription
    assert [one["id"] for one in az("account", "list", "--refresh")] == [cloud.subscription]
    assert az("account", "list-locations", "--query", "[?name=='westeurope'].name") == ["westeurope"]


def test_the_machines_identity_logs_in(cloud: RunningCloud, tmp_path: Path) -> None:
    az = registered(tmp_path, cloud)

    [account] = az("login", "--identity")

    assert (account["id"], account["tenantId"]) == (cloud.subscription, cloud.tenant)
    assert account["user"] == {"assignedIdentityInfo": "MSI", "name": "systemAssignedIdentity", "type": "servicePrincipal"}
    assert "loadme-management" in az("group", "list", "--query", "[].name")


def test_a_user_assigned_identity_logs_in_by_its_client_id(az: Az, cloud: RunningCloud, tmp_path: Path) -> None:
    app = az("identity", "show", "--resource-group", "loadme-management", "--name", "loadme-app")
    other = registered(tmp_path, cloud)

    [account] = other("login", "--identity", "--client-id", app["clientId"])

    assert account["user"]["assignedIdentityInfo"] == f"MSIClient-{app['clientId']}"
    refused = other.error("group", "create", "--name", "not-its-own", "--location", "westeurope")
    assert "(AuthorizationFailed)" in refused
    assert app["principalId"] in refused


def test_an_identity_that_is_not_there_is_refused(cloud: RunningCloud, tmp_path: Path) -> None:
    az = registered(tmp_path, cloud)

    assert "Identity not found" in az.error("login", "--identity", "--client-id", "99999999-9999-4999-8999-999999999999")


def test_a_workload_logs_in_by_its_token(cloud: RunningCloud, tmp_path: Path) -> None:
    token = Path(cloud.state["deployer"]["federated_token"]).read_text()
    words = ("--service-principal", "--username", cloud.client_id, "--tenant", cloud.tenant, "--federated-token", token)

    assert registered(tmp_path, cloud)("login", *words)[0]["id"] == cloud.subscription


def test_a_certificate_logs_in(cloud: RunningCloud, tmp_path: Path) -> None:
    certificate = cloud.state["deployer"]["certificate"]
    words = ("--service-principal", "--username", cloud.client_id, "--tenant", cloud.tenant, "--certificate", certificate)

    assert registered(tmp_path, cloud)("login", *words)[0]["id"] == cloud.subscription


def test_under_azures_own_names_no_cloud_need_be_registered(cloud: RunningCloud, tmp_path: Path) -> None:
    az = Az(tmp_path, cloud)

    [account] = log_in(az, cloud)

    assert account["cloudName"] == "AzureCloud"
    assert "loadme-management" in az("group", "list", "--query", "[].name")


def test_the_cli_hands_out_its_token(az: Az, cloud: RunningCloud) -> None:
    token = az("account", "get-access-token")

    assert (token["tenant"], token["subscription"], token["tokenType"]) == (cloud.tenant, cloud.subscription, "Bearer")
