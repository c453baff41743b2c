"""A key that lies in the kernel's buffer while the loop is blocked beats the timer that was due meanwhile.

On real loops, for this is about what they do after a stall: they run the timers that are due before they read.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
import uvloop

from flowengine.testing.network import AsgiNetwork

FLOW = """
flow: test
version: 1
vars: {nothing: {type: text, default: "..."}}
defaults: {limits: {visits: 999, hops: 999}, timeouts: {noinput: 300ms}}
nodes:
  a:
    say: "{{ nothing }}"
    tries: 20
    menu: [{key: 1, goto: again}]
"""
ROUNDS = 10
BEFORE, STALL = 0.06, 0.12


class Line:
    """A carrier's end of a stream: a socket pair, so that a key can lie in the kernel's buffer."""

    def __init__(self, path: str) -> None:
        self.near, self.far = socket.socketpair()
        self.far.setblocking(False)
        self.path = path
        self.rounds = 0
        self._connected = False
        self._text = ""

    async def receive(self) -> dict[str, Any]:
        if not self._connected:
            self._connected = True
            start = {"streamId": "s", "callId": "c", "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000}}
            self.write({"event": "start", "start": start})
            asyncio.get_running_loop().call_later(0.3 - BEFORE, self.stall)
            return {"type": "websocket.connect"}
        while "\n" not in self._text:
            got = await asyncio.get_running_loop().sock_recv(self.far, 65536)
            if not got:
                return {"type": "websocket.disconnect", "code": 1000}
            self._text += got.decode()
        line, _, self._text = self._text.partition("\n")
        return {"type": "websocket.receive", "text": line}

    async def send(self, message: dict[str, Any]) -> None:
        """Take what the server writes; nothing of it matters here."""

    def write(self, message: dict[str, Any]) -> None:
        self.near.send(json.dumps(message).encode() + b"\n")

    def stall(self) -> None:
        """A key comes, and the loop is blocked until well after the timer was due."""
        self.write({"event": "dtmf", "dtmf": {"digit": "1"}})
        until = time.monotonic() + STALL
        while time.monotonic() < until:
            pass
        self.rounds += 1
        if self.rounds < ROUNDS:
            asyncio.get_running_loop().call_later(0.3 - BEFORE, self.stall)
        else:
            asyncio.get_running_loop().call_later(0.05, self.near.close)


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_key_during_a_stall_beats_the_timer(world: Any, loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    world.flow(FLOW)
    world.signatures = "if-present"

    async def go() -> list[str]:
        application = await world.start()
        form = [("CallUUID", "c"), ("From", "15550001111"), ("To", "15551234567"), ("CallStatus", "ringing")]
        _, xml = await AsgiNetwork(application).post("https://voice.test/answer/vobiz", form, {})
        found = re.search(r"wss://voice\.test(/stream/[^<]+)<", xml)
        assert found
        line = Line(found[1])
        scope = {"type": "websocket", "path": line.path, "query_string": b"", "headers": [], "subprotocols": []}
        await asyncio.wait_for(application(scope, line.receive, line.send), 30)
        line.far.close()
        (lines,) = world.store.traces.values()
        events = [json.loads(text).get("event", {}).get("type") for text in lines]
        return [kind for kind in events if kind in ("DigitPressed", "TimePassed")]

    with asyncio.Runner(loop_factory=loop) as runner:
        kinds = runner.run(go())
    assert kinds[:ROUNDS] == ["DigitPressed"] * ROUNDS
