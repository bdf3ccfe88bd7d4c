"""The options of `up`, and the settings that they make. An option that is added here needs a field of `CloudSettings`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from localcloud.cli import values
from localcloud.settings import CloudSettings

STATE = Path(".localcloud")
"""Where the cloud of the working directory is found: its `cloud.json`."""

KEPT = STATE / "kept"

_OPTIONS = (
    click.option("--app", type=click.Path(path_type=Path), default=Path(), help="Folder of function_app.py. [default: this one]"),
    click.option(
        "--workflows", type=click.Path(path_type=Path), metavar="FOLDER", help="Folder of workflow files. [default: the app's workflows]"
    ),
    click.option(
        "--images", type=click.Path(path_type=Path), multiple=True, metavar="FILE", help="Another image map; may be given many times."
    ),
    click.option(
        "--containers",
        type=click.Choice(["processes", "podman", "docker"]),
        default="processes",
        show_default=True,
        help="What runs the containers; real ones need images, pushed with `push`, and no image map.",
    ),
    click.option("--host-network", is_flag=True, help="Real containers share this machine's network, instead of one for each group."),
    click.option("--port", type=values.Port(), help="Port of the function app. [default: 7071, or a free one]"),
    click.option("--scale", type=values.Scale(), default=0.05, show_default=True, help="How long Azure's waits take; 1 is as on Azure."),
    click.option("--seed", type=int, default=0, show_default=True, help="Decides which unpleasant coincidences happen."),
    click.option("--secrets", type=values.Secrets(), metavar="FILE", help="YAML with secrets for vaults: {vault: {name: value}}."),
    click.option(
        "--state", type=click.Path(path_type=Path), metavar="FOLDER", help="Keep storage, keys, vaults and what ARM holds in this folder."
    ),
    click.option("--keep", is_flag=True, help=f"The same as --state {KEPT}."),
    click.option(
        "--relay",
        type=click.Choice(["functions", "storage"]),
        multiple=True,
        help="Have calls to the function app or to storage pass the side door too.",
    ),
    click.option(
        "--engine",
        type=click.Choice(["sdk", "runtime"]),
        default="sdk",
        show_default=True,
        help="What runs the app; runtime is Microsoft's own worker library, on Python 3.13.",
    ),
    click.option("--engine-python", metavar="PYTHON", help="The Python 3.13 for --engine runtime. [default: looked for]"),
    click.option(
        "--set", "environment", type=values.Setting(), multiple=True, metavar="NAME=VALUE", help="A setting of the app; may be given often."
    ),
)


def options_of_up(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command all options that say what is started."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def settings_of(given: dict[str, Any], say: Callable[[str], None]) -> CloudSettings:
    """The settings that the options ask for."""
    kept = given.pop("keep")
    state = given.pop("state") or (KEPT if kept else None)
    arm = dataclasses.replace(CloudSettings().arm, seed=given.pop("seed"))
    given["environment"] = dict(given["environment"])
    given["secrets"] = given["secrets"] or {}
    return CloudSettings(folder=STATE, arm=arm, state=state, memory=True, watch=True, say=say, **given)
