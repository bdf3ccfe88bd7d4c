"""host.json, local.settings.json and the environment."""

import json
from pathlib import Path
from typing import Any

import pytest

from localcloud.host.connections import Connection, find_connection
from localcloud.host.protocol import FunctionInfo
from localcloud.host.settings import HostError, HostSettings, parse_time, read_settings
from localcloud.host.table import build_table


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "function_app.py").touch()
    return tmp_path


def write(app: Path, name: str, content: dict[str, Any]) -> None:
    (app / name).write_text(json.dumps(content))


def test_without_host_json_the_defaults_are_azures(app: Path) -> None:
    settings = read_settings(app, {})

    assert settings.http.route_prefix == "api"
    assert settings.function_timeout == 1800
    assert (settings.queues.batch_size, settings.queues.max_dequeue_count, settings.queues.lease) == (16, 5, 600)


def test_host_json_is_honoured(app: Path) -> None:
    queues = {"batchSize": 1, "newBatchThreshold": 0, "visibilityTimeout": "00:00:30", "maxDequeueCount": 10, "messageEncoding": "none"}
    write(app, "host.json", {"functionTimeout": "00:02:00", "extensions": {"queues": queues, "http": {"routePrefix": ""}}})

    settings = read_settings(app, {})

    assert settings.function_timeout == 120
    assert settings.http.route_prefix == ""
    assert (settings.queues.batch_size, settings.queues.new_batch_threshold, settings.queues.visibility_timeout) == (1, 0, 30)
    assert (settings.queues.max_dequeue_count, settings.queues.base64) == (10, False)


def test_the_environment_overrides_host_json(app: Path) -> None:
    write(app, "host.json", {"extensions": {"queues": {"batchSize": 8}}})

    settings = read_settings(app, {"AzureFunctionsJobHost__extensions__queues__batchSize": "2", "LOCALCLOUD_LEASE_SECONDS": "4"})

    assert (settings.queues.batch_size, settings.queues.lease, settings.queues.renewal) == (2, 4, 2)


def test_the_environment_wins_over_local_settings(app: Path) -> None:
    write(app, "local.settings.json", {"Values": {"A": "file", "B": "file"}})

    assert read_settings(app, {"A": "real"}).environment == {"A": "real", "B": "file"}


def test_what_is_not_heeded_is_said(app: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(
        app, "host.json", {"extensions": {"http": {"dynamicThrottlesEnabled": True}}, "concurrency": {"dynamicConcurrencyEnabled": False}}
    )

    read_settings(app, {})

    assert caplog.messages == ["host.json: extensions.http.dynamicThrottlesEnabled is not supported by the local host and is not heeded"]


def test_no_timeout_is_minus_one(app: Path) -> None:
    write(app, "host.json", {"functionTimeout": "-1"})

    assert read_settings(app, {}).function_timeout is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"functionTimeout": "2 minutes"}, "functionTimeout is '2 minutes'"),
        ({"extensions": {"queues": {"batchSize": 33}}}, "batchSize is 33, it must be a whole number from 1 to 32"),
        ({"extensions": {"queues": {"maxDequeueCount": "five"}}}, "maxDequeueCount is 'five'"),
    ],
)
def test_a_wrong_value_is_named(app: Path, content: dict[str, Any], message: str) -> None:
    write(app, "host.json", content)

    with pytest.raises(HostError, match=message):
        read_settings(app, {})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", "abc"),
        ("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", "-1"),
        ("LOCALCLOUD_LEASE_SECONDS", "x"),
        ("LOCALCLOUD_LEASE_SECONDS", "0"),
        ("LOCALCLOUD_WORKER_PAUSE_SECONDS", "nan"),
    ],
)
def test_a_setting_that_is_no_such_number_is_named(app: Path, name: str, value: str) -> None:
    with pytest.raises(HostError, match=f"^{name} is '{value}', it must be a number from"):
        read_settings(app, {name: value})


@pytest.mark.parametrize("port", [99999, -1])
def test_a_port_that_there_is_not_is_named(app: Path, port: int) -> None:
    with pytest.raises(HostError, match=f"--port, .* is {port}, it must be a number from 0 to 65535"):
        read_settings(app, {}, port=port)


@pytest.mark.parametrize("content", [{"Host": {"LocalHttpPort": "abc"}}, {"Host": []}, {"Host": "x"}, {"Values": ["x"]}])
def test_local_settings_that_make_no_sense_are_named(app: Path, content: dict[str, Any]) -> None:
    write(app, "local.settings.json", content)

    if content == {"Host": []}:  # as good as nothing
        assert read_settings(app, {}).port == 7071
        return
    with pytest.raises(HostError, match=r"local\.settings\.json"):
        read_settings(app, {})


def test_a_folder_without_an_app_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"has no function_app\.py"):
        read_settings(tmp_path, {})


def test_time_spans() -> None:
    assert parse_time("1.02:03:04.5", "x") == 93784.5


def a_function(name: str, **trigger: Any) -> FunctionInfo:
    return FunctionInfo(name, [{"name": "x", **trigger}])


def test_a_setting_that_is_missing_leaves_out_only_its_function() -> None:
    functions = [
        a_function("good", type="queueTrigger", queueName="%GOOD%", connection=""),
        a_function("bad", type="queueTrigger", queueName="%BAD%", connection=""),
        a_function("worse", type="timerTrigger", schedule="every day"),
        a_function("reserved", type="httpTrigger", route="admin/x"),
    ]

    table = build_table(functions, HostSettings(app=Path(), environment={"GOOD": "Steps", "AzureWebJobsStorage": "x"}))

    assert [queue.queue for queue in table.queues] == ["steps"]
    assert set(table.broken) == {"bad", "worse", "reserved"}
    assert "BAD" in table.broken["bad"]


def test_two_functions_with_the_same_route_and_method_conflict() -> None:
    functions = [
        a_function("b", type="httpTrigger", route="same", methods=["GET", "POST"]),
        a_function("A", type="httpTrigger", route="same", methods=["GET"]),
        a_function("c", type="httpTrigger", route="same", methods=["PUT"]),
    ]

    table = build_table(functions, HostSettings(app=Path()))

    assert [route.function for route in table.routes] == ["A", "c"]
    assert table.broken["b"] == "The route specified conflicts with the route defined by function 'A'."


class TestConnections:
    """4: which settings a binding's connection means."""

    @pytest.mark.parametrize(
        ("connection", "settings", "found"),
        [
            ("", {"AzureWebJobsStorage": "a"}, "a"),
            ("Orders", {"AzureWebJobsOrders": "a", "Orders": "b"}, "a"),
            ("Orders", {"Orders": "b"}, "b"),
            ("AzureWebJobsStorage", {"AzureWebJobsStorage": "a"}, "a"),
            ("Orders", {"ConnectionStrings__AzureWebJobsOrders": "a", "AzureWebJobsOrders": "b"}, "a"),
            ("Orders", {"ConnectionStrings:Orders": "a", "Orders": "b"}, "a"),
            ("Orders", {"CUSTOMCONNSTR_Orders": "a"}, "a"),
            ("orders", {"AZUREWEBJOBSORDERS": "a"}, "a"),
        ],
    )
    def test_a_connection_string_is_found_by_the_first_of_its_names(self, connection: str, settings: dict[str, str], found: str) -> None:
        """4: first existing of ConnectionStrings:AzureWebJobsX, AzureWebJobsX, ConnectionStrings:X, X."""
        assert find_connection(connection, HostSettings(app=Path(), environment=settings).setting) == Connection(string=found)

    @pytest.mark.parametrize(
        ("settings", "found"),
        [
            ({"Storage__queueServiceUri": "https://q"}, Connection(endpoint="https://q")),
            ({"Storage__serviceUri": "https://q", "Storage__credential": "managedidentity"}, Connection(endpoint="https://q")),
            ({"AzureWebJobsStorage__accountName": "acc"}, Connection(endpoint="https://acc.queue.core.windows.net")),
            ({"Storage__queueServiceUri": "https://q", "Storage__clientId": "id"}, Connection(endpoint="https://q", client_id="id")),
            (
                {"Storage__queueServiceUri": "https://q", "Storage__managedIdentityResourceId": "/id"},
                Connection(endpoint="https://q", resource_id="/id"),
            ),
        ],
    )
    def test_a_section_is_an_identity(self, settings: dict[str, str], found: Connection) -> None:
        """4: X__queueServiceUri / X__serviceUri / X__accountName, X__credential=managedidentity, X__clientId."""
        assert find_connection("", HostSettings(app=Path(), environment=settings).setting) == found

    def test_development_storage_is_azurite_at_its_usual_ports(self) -> None:
        """4: UseDevelopmentStorage=true = Azurite 127.0.0.1:10000-2."""
        found = find_connection("", {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}.get)

        assert "QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;" in found.string

    @pytest.mark.parametrize("settings", [{}, {"Storage__queueServiceUri": "x", "Storage__clientSecret": "s"}])
    def test_what_there_is_not_is_refused(self, settings: dict[str, str]) -> None:
        with pytest.raises(HostError, match=r"the connection 'Storage' (is not set|asks for another credential)"):
            find_connection("", HostSettings(app=Path(), environment=settings).setting)


class TestNames:
    """4: %NAME% in bindings."""

    def test_a_name_is_replaced_whatever_its_case(self) -> None:
        """4: keys case-insensitive in configuration; then `:` -> `__`."""
        settings = HostSettings(app=Path(), environment={"Queues__Steps": "s", "B": "b"})

        assert settings.resolve("x-%queues:steps%-%b%") == "x-s-b"

    @pytest.mark.parametrize(
        ("text", "message"), [("%absent%", "'%absent%' does not resolve to a value."), ("a%b", "does not have a closing '%'")]
    )
    def test_what_cannot_be_resolved_is_an_error(self, text: str, message: str) -> None:
        """4: unclosed % or missing value -> that function errors at index."""
        with pytest.raises(HostError, match=message):
            HostSettings(app=Path()).resolve(text)

    def test_names_are_resolved_in_queues_schedules_and_connections_and_not_in_routes(self) -> None:
        """4: applied to queueName, schedule, connection; not to route."""
        environment = {"Q": "Steps", "C": "Storage", "S": "0 0 * * * *", "AzureWebJobsStorage": "x"}
        functions = [
            a_function("q", type="queueTrigger", queueName="%Q%", connection="%C%"),
            a_function("t", type="timerTrigger", schedule="%S%"),
            a_function("h", type="httpTrigger", route="%R%"),
        ]

        table = build_table(functions, HostSettings(app=Path(), environment=environment))

        assert table.broken == {}
        assert (table.queues[0].queue, table.routes[0].route) == ("steps", "api/%R%")

    def test_a_functions_name_is_its_route_when_it_has_none(self) -> None:
        """1.1: no route -> function name."""
        assert build_table([a_function("Start", type="httpTrigger")], HostSettings(app=Path())).routes[0].route == "api/Start"


class TestPlans:
    """2.1 and 5: what depends on the plan."""

    def test_the_consumption_plan_has_other_limits(self, app: Path) -> None:
        """5: Consumption: default 5 min, 1 s..10 min; 2.1: newBatchThreshold = batchSize/2 x 1."""
        settings = read_settings(app, {"WEBSITE_SKU": "Dynamic"})

        assert (settings.function_timeout, settings.queues.new_batch_threshold) == (300, 8)
        assert (settings.http.max_concurrent, settings.http.max_outstanding) == (100, 200)
        for limit in ("00:10:01", "-1", "00:00:00"):
            with pytest.raises(HostError, match="functionTimeout"):
                read_settings(app, {"WEBSITE_SKU": "Dynamic", "AzureFunctionsJobHost__functionTimeout": limit})

    @pytest.mark.parametrize(("environment", "seconds"), [({}, 60.0), ({"AZURE_FUNCTIONS_ENVIRONMENT": "Development"}, 2.0)])
    def test_an_idle_queue_is_polled_more_often_in_development(self, app: Path, environment: dict[str, str], seconds: float) -> None:
        """2.1: maxPollingInterval 00:01:00; 2 s when environment is Development and not set."""
        assert read_settings(app, environment).queues.max_polling_interval == seconds

    @pytest.mark.parametrize(("name", "value"), [("FUNCTIONS_WORKER_PROCESS_COUNT", "11"), ("FUNCTIONS_WORKER_PROCESS_COUNT", "none")])
    def test_there_are_at_most_ten_workers(self, app: Path, name: str, value: str) -> None:
        """4: FUNCTIONS_WORKER_PROCESS_COUNT 1..10."""
        assert read_settings(app, {name: "3"}).workers == 3
        with pytest.raises(HostError, match="from 1 to 10"):
            read_settings(app, {name: value})

    def test_the_environment_names_keys_of_host_json_whatever_their_case(self, app: Path) -> None:
        """4: each is overridable by env AzureFunctionsJobHost__extensions__queues__batchSize=1."""
        write(app, "host.json", {"Extensions": {"Queues": {"BatchSize": 8}}})

        assert read_settings(app, {"AZUREFUNCTIONSJOBHOST__extensions__queues__batchsize": "2"}).queues.batch_size == 2

    def test_connection_strings_of_local_settings_are_found(self, app: Path) -> None:
        """4: local.settings.json: ConnectionStrings too."""
        write(app, "local.settings.json", {"IsEncrypted": False, "Values": {"N": 1}, "ConnectionStrings": {"Orders": "o"}})

        settings = read_settings(app, {})

        assert (settings.setting("N"), find_connection("Orders", settings.setting)) == ("1", Connection(string="o"))

    def test_port_and_origins_of_local_settings_are_defaults(self, app: Path) -> None:
        """4: Host.LocalHttpPort (7071), Host.CORS."""
        assert read_settings(app, {}, port=None).port == 7071
        write(app, "local.settings.json", {"Host": {"LocalHttpPort": 7072, "CORS": "https://a.example, *"}})

        settings = read_settings(app, {}, port=None)

        assert (settings.port, settings.cors) == (7072, ("https://a.example", "*"))
        assert read_settings(app, {}, port=0).port == 0

    def test_draining_before_the_end_is_asked_for_by_a_setting(self, app: Path) -> None:
        """6: FUNCTIONS_ENABLE_DRAIN_ON_APP_STOPPING=true."""
        assert read_settings(app, {"FUNCTIONS_ENABLE_DRAIN_ON_APP_STOPPING": "true"}).shutdown.drain is True

    def test_the_hosts_id(self) -> None:
        """3: HostId: AzureFunctionsWebHost__hostid, else site name, locally <machine>-<hash(scriptPath)>."""
        assert HostSettings(app=Path(), environment={"AzureFunctionsWebHost__hostid": "Mine"}).host_id == "Mine"
        assert HostSettings(app=Path("/a")).host_id != HostSettings(app=Path("/b")).host_id
