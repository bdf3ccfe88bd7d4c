"""How the resources of a template are named in it: by id, name, type and name, symbolic name, or the name of their copy loop."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from localcloud.arm.deployments.planned import PlannedResource
from localcloud.arm.deployments.targets import canonical


class Names:
    """Whatever the case of a word."""

    def __init__(self, resources: Iterable[PlannedResource], empty: Iterable[str] = ()) -> None:
        """`empty` are the names of loops that may have no rounds."""
        self._empty = {name.lower() for name in empty}
        self._words: dict[str, list[PlannedResource]] = defaultdict(list)
        self._loops: dict[str, list[PlannedResource]] = defaultdict(list)
        for resource in resources:
            for word in {word.lower() for word in _words(resource)}:
                self._words[word].append(resource)
            for loop in {loop.lower() for loop in (resource.loop, resource.symbol) if loop}:
                self._loops[loop].append(resource)

    def knows(self, word: str) -> bool:
        return any(_plain(word) in words for words in (self._words, self._loops, self._empty))

    def find(self, word: str) -> list[PlannedResource]:
        """All that the word means: none, one, or the rounds of a loop."""
        return self._words.get(_plain(word)) or self._loops.get(word.lower()) or []

    def one(self, word: str) -> PlannedResource | None:
        """The resource of that name; an id is found among the planned ones, too."""
        found = self._words.get(_plain(word)) or []
        # Several resources may bear one name; their types tell them apart.
        return found[0] if len(found) == 1 else None

    def rounds(self, word: str) -> list[PlannedResource]:
        return self._loops.get(word.lower()) or []


def _plain(word: str) -> str:
    return canonical(word).lower()


def _words(resource: PlannedResource) -> Iterator[str]:
    yield resource.id
    yield resource.id.removeprefix(f"{resource.scope}/providers/")
    yield resource.name
    yield f"{resource.kind}/{resource.name}"
    if resource.symbol:
        yield resource.symbol if resource.index is None else f"{resource.symbol}[{resource.index}]"
