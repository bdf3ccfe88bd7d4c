"""The recordings of real Azure that lie beside this checkout, and how much of one a reply must repeat."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[5] / "shared" / "azure" / "samples"
NAMES = sorted(file.stem for file in FOLDER.glob("*.json"))
AZURE = "https://management.azure.com"
RECORDERS = ("http://localhost:1234",)  # what a recorder wrote in the place of Azure's address


@dataclass(frozen=True)
class Sample:
    """One exchange. `uri` is of Azure, with the names that the reply has too."""

    method: str
    uri: str
    body: Any
    status: int
    headers: dict[str, str]
    reply: Any

    @property
    def path(self) -> str:
        return self.uri.removeprefix(AZURE).partition("?")[0]


def sample(name: str) -> Sample:
    exchange = json.loads((FOLDER / f"{name}.json").read_text())
    asked, given = exchange["request"], exchange["response"]
    uri = asked["uri"]
    for recorder in RECORDERS:
        uri = uri.replace(recorder, AZURE)
    body = given.get("body")
    return Sample(asked["method"], _renamed(uri, body), asked.get("body"), given["status"], given.get("headers", {}), body)


def _renamed(uri: str, reply: Any) -> str:
    """The recorder wrote `mock-deployment` into the requests, and left the deployment's own name in the replies."""
    ids = [reply, *reply.get("value", [])] if isinstance(reply, dict) else []
    names = [one["id"].partition("/deployments/")[2].partition("/")[0] for one in ids if "/deployments/" in one.get("id", "")]
    return uri.replace("mock-deployment", names[0]) if names else uri
