"""What runs inside a container of loadme: a runner for any command, and a module for Python scripts.

One file, standard library only, Python 3.8 or newer: install loadme in the image, or copy this file into it.

    python -m loadme.step run -- COMMAND ARG…        (copied into an image: python step.py run -- COMMAND ARG…)

starts COMMAND without a shell, passes its output through, and reports how it ended. COMMAND gives outputs back by writing them to the
file $LOADME_OUTPUT; when a name comes twice, the last one counts:

    rows=3                      a line: the value is text, read as the type that the workflow declares
    note<<END                   a block: the lines up to a line that is END and nothing else
    {"rows": 3, "done": true}   a JSON object: values keep their types

Inside loadme the exit code is 0 whatever COMMAND's was, because ACI may start a container again that exits non-zero; the last line of
output, `::{"loadme":{…}}::`, says how it went. Outside loadme nothing is reported and COMMAND's exit code is kept.

A Python script says `from loadme import step` (copied into an image: `import step`) and has:

    step.variable("day")                             a variable of the run, with its type
    step.files.put("part-1.csv", Path("part.csv"))   a file for the run's other steps, of any size
    step.files.get("part-1.csv", "copy.csv")         the same again; without a path the bytes; step.files.list(), step.files.delete(name)
    step.heartbeat(0.5, "half way")                  progress, sent at most once a second; False once the attempt is over
    step.output(rows=3)                              an output, reported when the script has ended with exit code 0
    step.fail("no data for that day", day=day)       ends the script: the step has failed, and this is why
    step.report()                                    the end of a script that has no runner: sends the outputs collected so far

Outside loadme all of this warns once and reports nothing; variables come from the environment and files from ./loadme-files.

Files are for other programs as well (- is standard input or output; NAME or FILE may be left out where they are the same):

    python -m loadme.step files put FILE [NAME]      files get NAME [FILE]      files list [BEGINNING]      files delete NAME
"""

from __future__ import annotations

import atexit
import base64
import contextlib
import email.utils
import http.client
import io
import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
import uuid
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# An answer that will not change. All others are tried again, also a 403 or 404: that is what a stopped or starting function app says.
FINAL = frozenset({400, 401, 409, 410, 411, 413, 415, 422})
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
# In a file of outputs: an empty line, name=value, or a block from name<<END to END.
ENTRY = re.compile(r"[^\S\n]*(?:\n|\Z)|(NAME)=(.*)\n?|(NAME)<<(.+)\n((?:.*\n)*?)\4(?:\n|\Z)".replace("NAME", NAME.pattern), re.ASCII)
LOG_LINES, LOG_BYTES, VERDICT_BYTES = 20, 4096, 8192
# What to do about an answer of Blob storage, by its error code or status.
ADVICE: dict[Any, str] = {
    404: "there is no such file",
    "ContainerNotFound": "the Blob container of the runs' files is not there: create it",
    403: "the container's identity needs the role Storage Blob Data Contributor on the Blob container of the runs' files, and a way through"
    " the storage account's firewall if it has one",
    412: "the file was written anew while it was read: read it again",
    "InvalidBlockList": "another program wrote the file of this name at the same time",
}
# Bytes of a file that go to or come from Blob storage at once, and how many such blocks make a file: 390 GB.
CHUNK, MOST_BLOCKS = 8 * 1024 * 1024, 50_000
# How many names each command about files takes.
ACTS = {"put": (1, 2), "get": (1, 2), "list": (0, 1), "delete": (1,)}


class OutputError(ValueError):
    """What was given as an output is not one; the message says where and why."""


class Unavailable(OSError):
    """No final answer came in time."""


def say(message: str) -> None:
    """A line for whoever reads the container's log."""
    print(f"loadme: {message}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; `status` 0 means that none came, and `body` then says why."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.status or 'no answer:'} {self.body[:500].decode('utf-8', 'replace')}"


class AnyStatus(urllib.request.HTTPErrorProcessor):
    """Every status is an answer, also a redirect: following one would carry the token elsewhere."""

    def http_response(self, request: urllib.request.Request, response: Any) -> Any:  # noqa: ARG002 - urllib's signature
        return response

    https_response = http_response


OPENER = urllib.request.build_opener(AnyStatus)
DIRECT = urllib.request.build_opener(AnyStatus, urllib.request.ProxyHandler({}))  # the identity endpoint is on this very machine


def ask(opener: urllib.request.OpenerDirector, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
    """One request, one answer."""
    request = urllib.request.Request(url, data=body, headers=dict(headers), method=method)  # noqa: S310 - from the platform
    try:
        with opener.open(request, timeout=60) as answer:
            return Answer(answer.status, answer.read(), answer.headers)
    except (OSError, http.client.HTTPException) as problem:
        return Answer(0, str(getattr(problem, "reason", problem) or type(problem).__name__).encode())


def send(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | None = None,
    patience: float = 60.0,
    final: frozenset[int] = FINAL,
    opener: urllib.request.OpenerDirector = OPENER,
) -> Answer:
    """A success or a `final` answer, tried for again with jittered back-off for `patience` seconds; then `Unavailable` is raised."""
    deadline = time.monotonic() + patience
    delay = 0.5
    while True:
        answer = ask(opener, method, url, headers, body)
        if 200 <= answer.status < 300 or answer.status in final:
            return answer
        wait = answer.headers.get("Retry-After") or ""
        pause = max(min(float(wait) if wait.isdigit() else 0.0, 30.0), delay * random.uniform(0.5, 1.0))  # noqa: S311 - jitter is no secret
        if time.monotonic() + pause > deadline:
            raise Unavailable(f"{method} {url.partition('?')[0]}: {answer}")
        time.sleep(pause)
        delay = min(delay * 2, 30.0)


def to_json(value: object) -> str:
    """Compact ASCII JSON; ValueError or TypeError for what JSON has no word for, NaN among it."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def parse_outputs(text: str) -> dict[str, Any]:
    """The outputs in a `$LOADME_OUTPUT` file: `name=value` lines, `name<<END` blocks and JSON objects, in any order."""
    text = text.replace("\r\n", "\n")
    outputs: dict[str, Any] = {}
    position = 0
    while position < len(text):
        if text[position] == "{":
            found, position = _json_object(text, position)
            outputs.update(found)
            continue
        entry = ENTRY.match(text, position)
        if entry is None:
            raise _wrong(text, position, _complaint(_line(text, position)))
        name, value, block, _, lines = entry.groups()
        if name or block:
            outputs[name or block] = value if name else lines[:-1]
        position = entry.end()
    return outputs


def _line(text: str, position: int) -> str:
    end = text.find("\n", position)
    return text[position:] if end < 0 else text[position:end]


def _wrong(text: str, position: int, problem: str) -> OutputError:
    return OutputError(f"line {text.count(chr(10), 0, position) + 1} of the output file: {problem}")


def _complaint(line: str) -> str:
    name, sign, end = line.partition("<<")
    if not (sign and NAME.fullmatch(name)):
        return f"expected name=value, name<<END or a JSON object, found {line[:60]!r}"
    return f"the block {line} has no line that is {end} and nothing else" if end else f"{line} names no delimiter: write {name}<<END"


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _json_object(text: str, start: int) -> tuple[dict[str, Any], int]:
    try:
        found, end = json.JSONDecoder(parse_constant=_no_constant).raw_decode(text, start)
    except (ValueError, RecursionError) as problem:
        raise _wrong(text, start, f"not a JSON object: {getattr(problem, 'msg', problem)}") from None
    rest = _line(text, end)
    if rest.strip():
        raise _wrong(text, end, f"unexpected text after the JSON object: {rest.strip()[:60]!r}")
    return found, end + len(rest) + 1


def read_outputs(path: Path) -> dict[str, Any]:
    """The outputs in the file; none if nobody wrote it."""
    try:
        return parse_outputs(path.read_bytes().decode("utf-8-sig")) if path.exists() else {}
    except UnicodeDecodeError as problem:
        raise OutputError(f"the output file is not UTF-8: {problem.reason} at byte {problem.start}") from None


def _checked(name: str) -> str:
    if not isinstance(name, str):  # None, most often: the place of an item that failed in a list of outputs
        raise TypeError(f"the name of a file is text, and not {name!r}")
    parts = name.split("/")
    if name == "-" or not name.isprintable() or "\\" in name or len(name) > 900 or any(part == "" or part.endswith(".") for part in parts):
        raise ValueError(f"{name[:100]!r} is no name of a file: a relative path with /, no part empty or with a dot at its end")
    return name


def _opened(data: bytes | str | os.PathLike[str] | IO[bytes]) -> Any:
    if isinstance(data, io.TextIOBase):
        raise TypeError("open the file with mode 'rb': what it holds is taken as it is")
    if isinstance(data, (bytes, bytearray, memoryview, str)):
        return io.BytesIO(data.encode() if isinstance(data, str) else data)
    return contextlib.nullcontext(data) if hasattr(data, "read") else Path(data).open("rb")


@contextlib.contextmanager
def _replaced(path: Path) -> Iterator[IO[bytes]]:
    """A file to write, which takes the place of `path` when all has gone well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


class LocalFiles:
    """The files of a run, in a folder: for a script that is tried by hand. Names may contain `/`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, name: str, data: bytes | str | os.PathLike[str] | IO[bytes]) -> None:
        """Write a file, whole or not at all, over one of the same name: text, bytes, what a `Path` or an open binary file holds."""
        with _opened(data) as source:
            self._write(_checked(name), iter(lambda: source.read(CHUNK), b""))

    def get(self, name: str, path: str | os.PathLike[str] | None = None) -> bytes:
        """What a file holds; with a path it goes there instead, and nothing comes back. FileNotFoundError if there is none of that name."""
        if path is None:
            return b"".join(self.chunks(name))
        with _replaced(Path(path)) as file:
            file.writelines(self.chunks(name))
        return b""

    def chunks(self, name: str) -> Iterator[bytes]:
        """What a file holds, piece by piece."""
        with (self.folder / _checked(name)).open("rb") as file:
            yield from iter(lambda: file.read(CHUNK), b"")

    def list(self, prefix: str = "") -> list[str]:
        """The names of all files that begin with `prefix`, sorted."""
        names = (path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file())
        return sorted(name for name in names if name.startswith(prefix))

    def delete(self, name: str) -> None:
        """Remove a file; one that is not there is no error."""
        (self.folder / _checked(name)).unlink(missing_ok=True)

    def _write(self, name: str, chunks: Iterator[bytes]) -> None:
        with _replaced(self.folder / name) as file:
            file.writelines(chunks)


class BlobFiles(LocalFiles):
    """The same in the run's own folder in Blob storage, reached with the container's identity. OSError says why it cannot be done."""

    def __init__(self, url: str, environ: Mapping[str, str]) -> None:
        self.url = url.rstrip("/")
        self._environ = environ
        self._token, self._token_ends = "", 0.0

    def chunks(self, name: str) -> Iterator[bytes]:
        url, position = self._blob(name), 0
        same: dict[str, str] = {}
        while True:
            answer = self._send("GET", url, {"x-ms-range": f"bytes={position}-{position + CHUNK - 1}", **same})
            if answer.status == 416:  # an empty file has no first byte
                return
            yield answer.body
            position += len(answer.body)
            if position >= int((answer.headers.get("Content-Range") or "0").rpartition("/")[2]):
                return
            same = {"If-Match": answer.headers["ETag"]}

    def list(self, prefix: str = "") -> list[str]:
        container, _, folder = self.url.rpartition("/")
        query = {"restype": "container", "comp": "list", "prefix": f"{folder}/{prefix}", "marker": ""}
        names: list[str] = []
        while True:
            page = ET.fromstring(self._send("GET", f"{container}?{urllib.parse.urlencode(query)}").body)  # noqa: S314 - Azure's own
            for name in page.iterfind("Blobs/Blob/Name"):
                text = name.text or ""
                names.append((urllib.parse.unquote(text) if name.get("Encoded") == "true" else text)[len(folder) + 1 :])
            query["marker"] = page.findtext("NextMarker") or ""
            if not query["marker"]:
                return sorted(names)

    def delete(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._send("DELETE", self._blob(name))

    def _write(self, name: str, chunks: Iterator[bytes]) -> None:
        first, second = next(chunks, b""), next(chunks, b"")
        if not second:
            self._send("PUT", self._blob(name), {"x-ms-blob-type": "BlockBlob"}, first)
            return
        # Names of one upload alone: another one's blocks must not get in between.
        url, upload, blocks = self._blob(name), uuid.uuid4().hex, []
        for number, chunk in enumerate(itertools.chain((first, second), chunks)):
            if number >= MOST_BLOCKS:
                raise OSError(f"{name} is too large: Blob storage takes {MOST_BLOCKS} blocks of {CHUNK} bytes")
            blocks.append(base64.b64encode(f"{upload}{number:05}".encode()).decode())
            self._send("PUT", f"{url}?comp=block&blockid={urllib.parse.quote(blocks[-1], safe='')}", body=chunk)
        latest = "".join(f"<Latest>{block}</Latest>" for block in blocks)
        self._send("PUT", f"{url}?comp=blocklist", body=f"<BlockList>{latest}</BlockList>".encode())

    def _blob(self, name: str) -> str:
        return f"{self.url}/{urllib.parse.quote(_checked(name))}"

    def _send(self, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> Answer:
        if not self.url:
            raise OSError(
                "this run has no files: LOADME_FILES_URL is not set, since the function app knows storage by a connection string only"
            )
        common = {
            "x-ms-version": "2021-08-06",
            "x-ms-date": email.utils.formatdate(usegmt=True),
            "Content-Type": "application/octet-stream",
        }
        common["Authorization"] = f"Bearer {self._access_token()}"
        answer = send(method, url, {**common, **(headers or {})}, body, final=FINAL | {403, 404, 412, 416})
        if answer.status >= 300 and answer.status != 416:
            code = answer.headers.get("x-ms-error-code") or str(answer)
            kind = FileNotFoundError if answer.status == 404 and code != "ContainerNotFound" else OSError
            raise kind(f"{method} {url.partition('?')[0]}: {ADVICE.get(code) or ADVICE.get(answer.status) or 'refused'} ({code})")
        return answer

    def _access_token(self) -> str:
        """Storage's token from App Service's endpoint where there is one, or from IMDS; renewed five minutes before it ends."""
        if time.time() > self._token_ends - 300:
            host = self._environ.get("AZURE_POD_IDENTITY_AUTHORITY_HOST") or "http://169.254.169.254"
            url, version, headers = f"{host.rstrip('/')}/metadata/identity/oauth2/token", "2018-02-01", {"Metadata": "true"}
            if self._environ.get("IDENTITY_ENDPOINT"):
                url, version = self._environ["IDENTITY_ENDPOINT"], "2019-08-01"
                headers = {"X-IDENTITY-HEADER": self._environ.get("IDENTITY_HEADER", "")}
            query = {"api-version": version, "resource": "https://storage.azure.com/"}
            if self._environ.get("AZURE_CLIENT_ID"):
                query["client_id"] = self._environ["AZURE_CLIENT_ID"]
            try:
                # No answer is final: in a container group that has just started, the endpoint may need half a minute.
                answer = send("GET", f"{url}?{urllib.parse.urlencode(query)}", headers, final=frozenset(), opener=DIRECT)
            except Unavailable as problem:
                raise Unavailable(f"no token for the run's files: has the container group an identity? {problem}") from None
            found = json.loads(answer.body)
            self._token, self._token_ends = found["access_token"], float(found.get("expires_on") or 0)
        return self._token


def verdict(attempt: str, **found: Any) -> str:
    """The last line of the log, from which loadme learns the outcome when the callback never arrives."""
    return f"::{to_json({'loadme': {'attempt': attempt, **found}})}::"


@dataclass(frozen=True)
class Outcome:
    """How a command ended: with `outputs`, or with an `error` (kind, message, …)."""

    exit_code: int
    outputs: dict[str, Any]
    error: dict[str, Any] | None = None

    def summary(self) -> dict[str, Any]:
        """What the verdict says: outputs only if they are small, for ACI keeps 16 KB of a stopped container's log, and none is a secret."""
        if self.error:
            message = self.error["message"][:1000]
            return {"status": "failed", "exit_code": self.exit_code, "kind": self.error["kind"], "message": message}
        told = len(to_json(self.outputs)) <= VERDICT_BYTES and not os.environ.get("LOADME_SECRET_OUTPUTS")
        return {"status": "succeeded", "exit_code": self.exit_code, **({"outputs": self.outputs} if told else {})}


class Step:
    """The running step as its environment describes it; the module's functions are the methods of one made at import."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.attempt = environ.get("LOADME_ATTEMPT_ID", "")
        self.inside = bool(environ.get("LOADME_CALLBACK_URL"))
        self._environ = environ
        self._url = environ.get("LOADME_CALLBACK_URL", "").rstrip("/")
        self._headers = {"Authorization": f"Bearer {environ.get('LOADME_CALLBACK_TOKEN', '')}"}
        self._prefix = environ.get("LOADME_VARIABLE_PREFIX") or "___"
        self._variables: dict[str, Any] | None = None
        self._outputs: dict[str, Any] = {}
        self._heartbeat_at = float("-inf")
        self._warned = self._reported = self._over = False
        self._patience = float(environ.get("LOADME_CALLBACK_RETRY") or 300)
        folder = environ.get("LOADME_FILES_URL")
        self.files = BlobFiles(folder or "", environ) if folder or self.inside else LocalFiles(Path("loadme-files"))

    def variables(self) -> dict[str, Any]:
        """All variables of the run, with their types.

        If loadme cannot be asked they come from the environment: names in lower case, and what reads as JSON is taken for JSON.
        """
        if self._variables is None:
            answer = self.ask_variables() if self._is_inside() else None
            told: Any = json.loads(answer.body)["variables"] if answer and answer.status == 200 else None
            self._variables = environment_variables(self._environ, self._prefix) if told is None else told
        return dict(self._variables)

    def variable(self, name: str, default: Any = ...) -> Any:
        """One variable, whatever the case of its name; KeyError if there is none and no `default`."""
        found = next((value for known, value in self.variables().items() if known.lower() == name.lower()), default)
        if found is ...:
            by_hand = "" if self.inside else f"; to try the script by hand, set {self._prefix}{name.upper()} in the environment"
            raise KeyError(f"there is no variable {name}; there are: {', '.join(sorted(self.variables())) or 'none'}{by_hand}")
        return found

    def output(self, name: str = "", value: Any = None, /, **outputs: Any) -> None:
        """Collect outputs, `output(rows=3)` or `output("rows", 3)`; of one name the last counts.

        The runner reports them when the script has ended with exit code 0; without the runner `report()` does.
        """
        found = {name: value, **outputs} if name else outputs
        wrong = [name for name in found if not NAME.fullmatch(name)]
        if wrong:
            raise OutputError(f"{wrong[0]!r} is no name of an output: letters, digits and _, not beginning with a digit")
        text = to_json(found)
        path = self._environ.get("LOADME_OUTPUT")
        if path:
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(f"\n{text}\n")
        elif self._is_inside():
            self._outputs or atexit.register(self._remind)
            self._outputs.update(json.loads(text))

    def report(self) -> None:
        """Without the runner: send the outputs, which ends the step's work. With the runner this does nothing: it reports."""
        if not self._environ.get("LOADME_OUTPUT") and self._is_inside():
            self._reported = True
            self.deliver(Outcome(0, self._outputs))

    def fail(self, message: str, *, kind: str = "failed", **details: Any) -> NoReturn:
        """End the script: the step has failed and `message` says why. A `kind` of its own is what `retry` and `catch` can name."""
        error = {"kind": kind, "message": message, "details": [f"{name}: {value}" for name, value in details.items()]}
        path = self._environ.get("LOADME_OUTPUT")
        if path:
            Path(f"{path}.failure").write_text(to_json(error), "utf-8")
        elif self._is_inside():
            self.deliver(Outcome(1, {}, error))
            raise SystemExit(0)
        raise SystemExit(message)

    def heartbeat(self, fraction: float | None = None, text: str = "") -> bool:
        """Say that the work goes on, and how far it is (0 to 1). False once the attempt is over and the work is for nothing."""
        if self._is_inside() and time.monotonic() - self._heartbeat_at >= 1.0:
            self._heartbeat_at = time.monotonic()
            with contextlib.suppress(Unavailable):
                self._over = self._post("/heartbeat", {"fraction": fraction, "text": text}, patience=0.0).status == 410
        return not self._over

    def ask_variables(self, patience: float = 20.0) -> Answer | None:
        """The server's answer to `GET …/variables`: 410 when the attempt is over; None when there is none."""
        try:
            return send("GET", f"{self._url}/variables", self._headers, patience=patience)
        except Unavailable as problem:
            say(f"loadme cannot be reached, so the environment has to do: {problem}")
            return None

    def deliver(self, outcome: Outcome, before: str = "\n") -> None:
        """Report an outcome, trying for minutes, and print the verdict on a line of its own."""
        summary = outcome.summary()
        try:
            answer = self._post("/failure" if outcome.error else "", outcome.error or outcome.outputs, self._patience)
            if answer.status >= 300:
                say(f"the callback was refused: {answer}")
            if answer.status in (400, 413, 422) and not outcome.error:
                error = {"kind": "outputs", "message": f"the outputs were refused: {answer}"}
                self.deliver(Outcome(outcome.exit_code, {}, error), before)
                return
            if answer.status in (409, 410):
                summary = {"status": "already_reported"}
        except Unavailable as problem:
            say(f"the callback was not delivered, so the next line has to do: {problem}")
        print(before + verdict(self.attempt, **summary), flush=True)

    def _post(self, path: str, body: Mapping[str, Any], patience: float) -> Answer:
        return send("POST", self._url + path, {**self._headers, "Content-Type": "application/json"}, to_json(body).encode(), patience)

    def _is_inside(self) -> bool:
        if not self.inside and not self._warned:
            self._warned = True
            say("this was not started by loadme: nothing is reported, variables come from the environment, files from ./loadme-files")
        return self.inside

    def _remind(self) -> None:
        if self._outputs and not self._reported:
            say("the outputs were not reported: end the script with step.report(), or start it with the runner")


def environment_variables(environ: Mapping[str, str], prefix: str) -> dict[str, Any]:
    """The variables that an environment holds. Their types are a guess: what reads as JSON is taken for JSON."""
    found: dict[str, Any] = {}
    for name, text in environ.items():
        if name.startswith(prefix) and name != prefix:
            try:
                found[name[len(prefix) :].lower()] = json.loads(text, parse_constant=_no_constant)
            except (ValueError, RecursionError):
                found[name[len(prefix) :].lower()] = text
    return found


class Log:
    """Passes a command's output through as it comes, and keeps its end."""

    def __init__(self) -> None:
        self.tail = b""

    def pump(self, source: int) -> None:
        while chunk := os.read(source, 65536):
            self.tail = (self.tail + chunk)[-LOG_BYTES:]
            with contextlib.suppress(OSError):  # nobody reads any more; the command's work counts all the same
                while chunk:
                    chunk = chunk[os.write(1, chunk) :]

    def lines(self) -> list[str]:
        return self.tail.decode("utf-8", "replace").splitlines()[-LOG_LINES:]


def execute(command: Sequence[str], environ: Mapping[str, str], log: Log) -> tuple[int, str]:
    """Run the command to its end; its exit code as a shell would give it, and what that means."""
    try:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(environ))
    except OSError as problem:
        absent = isinstance(problem, FileNotFoundError)
        return (127 if absent else 126), f"the command {command[0]!r} cannot be started: {problem.strerror}"
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: child.send_signal(received))
    assert child.stdout is not None  # noqa: S101 - for the type checker
    pump = threading.Thread(target=log.pump, args=[child.stdout.fileno()], daemon=True)
    pump.start()
    code = None
    while code is None:
        # Not one long wait: a signal that came just before it would be passed on only when the command has ended by itself.
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = child.wait(1.0)
    pump.join(2.0)  # a process that the command left behind may hold the pipe open for ever
    if code < 0:
        cause = ": out of memory?" if code == -9 else ""
        return 128 - code, f"the command was ended by signal {-code} ({signal.Signals(-code).name}){cause}"
    return code, f"the command exited with code {code}"


def judge(code: int, meaning: str, path: Path, log: list[str]) -> Outcome:
    """The outcome of a command that ended with this code and left these files."""
    failure = Path(f"{path}.failure")
    try:
        if failure.exists():
            return Outcome(code, {}, {**json.loads(failure.read_text("utf-8")), "exit_code": code, "log": log})
        if code:
            return Outcome(code, {}, {"kind": "exit_code", "message": meaning, "exit_code": code, "log": log})
        return Outcome(code, read_outputs(path))
    except OutputError as problem:
        return Outcome(code, {}, {"kind": "outputs", "message": str(problem), "exit_code": code, "log": log})


def run(step: Step, command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a command as the step's work, report how it ended, and give the exit code for this process."""
    if step.inside:
        answer = step.ask_variables()
        if answer and answer.status == 410:
            say("this attempt is over already: its work is not done again")
            print(verdict(step.attempt, status="already_reported"), flush=True)
            return 0
    with tempfile.TemporaryDirectory(prefix="loadme-") as folder:
        path, log = Path(folder, "outputs"), Log()
        code, meaning = execute(command, {**environ, "LOADME_OUTPUT": str(path)}, log)
        outcome = judge(code, meaning, path, log.lines())
    before = "\n" if log.tail and not log.tail.endswith(b"\n") else ""
    if step.inside:
        step.deliver(outcome, before)
        return 0
    say(f"outside loadme; {outcome.error['message'] if outcome.error else f'outputs: {to_json(outcome.outputs)}'}")
    return code or (1 if outcome.error else 0)


def handle_files(files: LocalFiles, act: str, name: str = "", other: str = "") -> int:
    """`put FILE [NAME]`, `get NAME [FILE]`, `list [BEGINNING]` or `delete NAME`; the exit code says whether it was done."""
    try:
        if act == "put":
            files.put(other or name, sys.stdin.buffer if name == "-" else Path(name))
        elif act == "get" and other == "-":
            sys.stdout.buffer.writelines(files.chunks(name))
        elif act == "get":
            files.get(name, other or name)
        elif act == "list":
            sys.stdout.writelines(f"{found}\n" for found in files.list(name))
        else:
            files.delete(name)
    except (OSError, ValueError) as problem:
        say(str(problem))
        return 1
    return 0


def main(arguments: Sequence[str]) -> int:
    """`run -- COMMAND ARG…`, `files …`, or help."""
    if len(arguments) > 2 and arguments[:2] == ["run", "--"]:
        return run(_step, arguments[2:], os.environ)
    if arguments[:1] == ["files"] and len(arguments) - 2 in ACTS.get("".join(arguments[1:2]), ()):
        return handle_files(_step.files, *arguments[1:])
    print(__doc__, file=sys.stdout if arguments[:1] == ["--help"] else sys.stderr)
    return 0 if arguments[:1] == ["--help"] else 2


_step = Step(os.environ)
variables, variable, output, report = _step.variables, _step.variable, _step.output, _step.report
heartbeat, fail, files = _step.heartbeat, _step.fail, _step.files

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
