"""The demo's workflow over the local cloud: its numbers are those that an independent computation gets from the same file."""

from __future__ import annotations

import dataclasses

import pytest

from localcloud.cloud import Cloud
from tests.e2e.conftest import CHECKOUT, cloud_settings
from tests.e2e.test_runs import Api
from tests.e2e.weather_expected import expected_report, expected_storm_days

DATA = CHECKOUT / "workflows" / "weather" / "seattle-weather.csv"


@pytest.mark.parametrize(("from_year", "to_year"), [(2012, 2015), (2013, 2014)])
def test_the_report_of_the_demo_is_right(shipped: Api, from_year: int, to_year: int) -> None:
    run = shipped.start("weather-report", from_year=from_year, to_year=to_year, storm_mm=30)

    shown = shipped.ended(run, timeout=60)

    expected = expected_report(DATA, from_year, to_year)
    assert shown["error"] is None
    assert {name: shown["outputs"][name] for name in expected} == expected
    assert shown["outputs"]["storm_days"] == expected_storm_days(DATA, from_year, to_year, 30)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory):
    settings = dataclasses.replace(cloud_settings(tmp_path_factory.mktemp("shipped")), workflows=None)
    with Cloud(settings) as cloud, Api(cloud) as api:
        yield api
