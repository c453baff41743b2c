"""Drives the language server that editors use for YAML, over its standard input and output, as an editor does.

It is a program of its own, not a package of ours: `make editors` installs it under ``HOME``.
"""

from __future__ import annotations

import json
import queue
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

HOME = Path(__file__).parents[2] / ".venv" / "editors"
PROGRAM = HOME / "node_modules" / ".bin" / "yaml-language-server"
# Seconds for one answer; a busy machine starts node slowly.
DEADLINE = 60.0


class LanguageServer:
    """A running server for the files below ``folder``, with the ``settings`` of Visual Studio Code (`yaml.schemas`…).

    ``wrong`` is the name of a file to which one of the schemas belongs: what is found in it tells that they are read.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], wrong: str) -> None:
        self._folder = folder
        self._given = {name.removeprefix("yaml."): value for name, value in settings.items() if name[:5] == "yaml."}
        self._wrong = wrong
        self._said: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._asked = 0
        self._opened = 0
        self._diagnosed: dict[str, list[dict[str, Any]]] = {}

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [str(PROGRAM), "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        try:
            self._reader.start()
            self._greet()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    def open(self, name: str, text: str) -> str:
        """Open a document of this name, relative to the folder; give its address."""
        uri = (self._folder / name).as_uri()
        self._opened += 1  # of an address and version that it has seen the server would take the text it knows
        document = {"uri": uri, "languageId": "yaml", "version": self._opened, "text": text}
        self._tell("textDocument/didOpen", {"textDocument": document})
        return uri

    def close(self, uri: str) -> None:
        """Close a document, and wait until what was found in it is taken back."""
        self._diagnosed.pop(uri, None)
        self._tell("textDocument/didClose", {"textDocument": {"uri": uri}})
        self.diagnostics(uri)
        del self._diagnosed[uri]

    def completions(self, uri: str, line: int, column: int) -> list[dict[str, Any]]:
        """Give what is proposed at a place, counted from 0."""
        answer = self._ask("textDocument/completion", _at(uri, line, column))
        items: list[dict[str, Any]] = answer["items"] if isinstance(answer, dict) else answer or []
        return items

    def hover(self, uri: str, line: int, column: int) -> str:
        """Give the text that is shown over a place, counted from 0."""
        answer = self._ask("textDocument/hover", _at(uri, line, column))
        return str(answer["contents"]["value"]) if answer else ""

    def diagnostics(self, uri: str) -> list[dict[str, Any]]:
        """Wait for what the server finds in an opened document."""
        until = time.monotonic() + DEADLINE
        while uri not in self._diagnosed:
            self._take(until)
        return self._diagnosed[uri]

    def _greet(self) -> None:
        root = self._folder.as_uri()
        folders = [{"uri": root, "name": self._folder.name}]
        able = {
            "workspace": {"configuration": True, "workspaceFolders": True},
            "textDocument": {"completion": {"completionItem": {"snippetSupport": True}}, "hover": {}},
        }
        self._ask("initialize", {"processId": None, "rootUri": root, "workspaceFolders": folders, "capabilities": able})
        self._tell("initialized", {})
        self._tell("workspace/didChangeConfiguration", {"settings": self._settings()})
        # Until the server has asked for the settings it answers as if there were no schema.
        uri = self.open(self._wrong, "no_field_of_ours: 1\n")
        until = time.monotonic() + DEADLINE
        while not self._diagnosed.get(uri):
            self._take(until)
        self.close(uri)

    def _settings(self) -> dict[str, Any]:
        # The catalogue of schemas is on the internet; no test needs that.
        yaml = {"validate": True, "completion": True, "hover": True, **self._given, "schemaStore": {"enable": False}}
        return {"yaml": yaml, "editor": {"tabSize": 2}}

    def _ask(self, method: str, params: dict[str, Any]) -> Any:
        self._asked += 1
        number = self._asked
        self._send({"id": number, "method": method, "params": params})
        until = time.monotonic() + DEADLINE
        while True:
            said = self._take(until)
            if said.get("id") == number and "method" not in said:
                if "error" in said:
                    raise RuntimeError(f"the server refused {method}: {said['error']}")
                return said.get("result")

    def _tell(self, method: str, params: dict[str, Any]) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _take(self, until: float) -> dict[str, Any]:
        """Take the next message; keep what is told, answer what the server asks of an editor."""
        try:
            said = self._said.get(timeout=max(until - time.monotonic(), 0))
        except queue.Empty:
            raise TimeoutError(f"the language server did not answer within {DEADLINE:.0f} s") from None
        if said is None:
            raise RuntimeError("the language server has ended")
        if said.get("method") == "textDocument/publishDiagnostics":
            self._diagnosed[said["params"]["uri"]] = said["params"]["diagnostics"]
        elif "method" in said and "id" in said:
            self._send({"id": said["id"], "result": self._answer(said)})
        return said

    def _answer(self, asked: dict[str, Any]) -> Any:
        if asked["method"] != "workspace/configuration":
            return None
        settings = self._settings()
        return [settings.get(item.get("section") or "") for item in asked["params"]["items"]]

    def _read(self) -> None:
        assert self._process.stdout is not None
        while header := self._process.stdout.readline():
            if header.lower().startswith(b"content-length:"):
                length = int(header.split(b":")[1])
                while self._process.stdout.readline().strip():
                    pass  # the other headers
                self._said.put(json.loads(self._process.stdout.read(length)))
        self._said.put(None)

    def _end(self) -> None:
        self._process.kill()
        self._process.wait(DEADLINE)
        self._reader.join(DEADLINE)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()


def _at(uri: str, line: int, column: int) -> dict[str, Any]:
    return {"textDocument": {"uri": uri}, "position": {"line": line, "character": column}}
