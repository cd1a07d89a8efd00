"""A client of the debug adapter protocol over a socket: what an editor sends to stop at a breakpoint.

Source: https://microsoft.github.io/debug-adapter-protocol/specification (messages are JSON behind ``Content-Length``).
"""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

_LIMIT_S = 60.0


class DebugClient:
    """One connection to a debugger; messages that nobody waits for yet are kept."""

    def __init__(self, connection: socket.socket, stream: BinaryIO) -> None:
        self._connection = connection
        self._stream = stream
        self._number = 0
        self._received: list[dict[str, Any]] = []

    def send(self, command: str, **arguments: Any) -> int:
        """Send a request and return its number."""
        self._number += 1
        message = {"seq": self._number, "type": "request", "command": command, "arguments": arguments}
        content = json.dumps(message).encode()
        self._connection.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(content), content))
        return self._number

    def answer(self, number: int) -> dict[str, Any]:
        """Wait for the answer to a request, and return its body."""
        message = self._wait(type="response", request_seq=number)
        assert message["success"], message
        body: dict[str, Any] = message.get("body", {})
        return body

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Send a request and return the body of its answer."""
        return self.answer(self.send(command, **arguments))

    def event(self, name: str) -> dict[str, Any]:
        """Wait for an event, and return its body."""
        body: dict[str, Any] = self._wait(type="event", event=name).get("body", {})
        return body

    def attach(self, breakpoints: dict[Path, list[int]], **configuration: Any) -> None:
        """Attach as VS Code does, with its breakpoints set before the program goes on."""
        self.ask("initialize", clientID="test", adapterID="python", pathFormat="path", linesStartAt1=True)
        attaching = self.send("attach", justMyCode=True, **configuration)
        self.event("initialized")
        for path, lines in breakpoints.items():
            self.ask("setBreakpoints", source={"path": str(path)}, breakpoints=[{"line": line} for line in lines])
        self.ask("configurationDone")
        self.answer(attaching)

    def frame(self) -> dict[str, Any]:
        """Wait until the program has stopped, and return the innermost frame, with its thread's id."""
        thread = self.event("stopped")["threadId"]
        frame: dict[str, Any] = self.ask("stackTrace", threadId=thread)["stackFrames"][0]
        return {**frame, "threadId": thread}

    def local(self, frame: dict[str, Any], name: str) -> str:
        """Return a local variable of a frame as text."""
        scopes = self.ask("scopes", frameId=frame["id"])["scopes"]
        reference = next(scope["variablesReference"] for scope in scopes if scope["name"] == "Locals")
        variables = self.ask("variables", variablesReference=reference)["variables"]
        return str(next(variable["value"] for variable in variables if variable["name"] == name))

    def _wait(self, **wanted: Any) -> dict[str, Any]:
        while True:
            for message in self._received:
                if all(message.get(name) == value for name, value in wanted.items()):
                    self._received.remove(message)
                    return message
            self._received.append(self._read())

    def _read(self) -> dict[str, Any]:
        length = 0
        while line := self._stream.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        content = self._stream.read(length)
        if not content:
            raise ConnectionError("the debugger has hung up")
        message: dict[str, Any] = json.loads(content)
        return message


@contextlib.contextmanager
def debug_client(port: int) -> Iterator[DebugClient]:
    """Yield a client of the debugger at a port, as soon as that listens."""
    end = time.monotonic() + _LIMIT_S
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port), timeout=_LIMIT_S)
            break
        except ConnectionRefusedError:
            assert time.monotonic() < end, "no debugger listens"
            time.sleep(0.05)
    with connection, connection.makefile("rb") as stream:
        yield DebugClient(connection, stream)
