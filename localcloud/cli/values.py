"""What options are made of: each type refuses what makes no sense, and says what would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


class Port(click.ParamType[int]):
    """A port number."""

    name = "port"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number."""
        if not str(value).isdecimal() or not 0 < int(value) < 65536:
            self.fail(f"{value} is not a port: give a number from 1 to 65535", param, ctx)
        return int(value)


class Scale(click.ParamType[float]):
    """How long Azure's waits take."""

    name = "scale"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The factor."""
        try:
            scale = float(value)
        except ValueError:
            scale = 0.0
        if not 0 < scale <= 1000:
            self.fail(f"{value} is not a scale: give a number above 0, such as 0.05", param, ctx)
        return scale


class Setting(click.ParamType[tuple[str, str]]):
    """A setting of the app."""

    name = "setting"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Its name and its value."""
        if isinstance(value, tuple):
            return value
        name, separator, text = str(value).partition("=")
        if not separator or not name:
            self.fail(f"{value} is not a setting: give NAME=VALUE, such as LOADME_EVENTS=runs,steps", param, ctx)
        return name, text


class Secrets(click.ParamType[dict[str, dict[str, str]]]):
    """A YAML file with the secrets of vaults."""

    name = "secrets"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, dict[str, str]]:
        """The secrets, by vault and name."""
        if isinstance(value, dict):
            return value
        import yaml

        try:
            found = yaml.safe_load(Path(value).read_text())
            return {str(vault): {str(name): str(text) for name, text in of.items()} for vault, of in (found or {}).items()}
        except (OSError, UnicodeError, AttributeError, yaml.YAMLError) as error:
            self.fail(f"{value} is no file of secrets, like {{vault: {{name: value}}}}: {error}", param, ctx)
