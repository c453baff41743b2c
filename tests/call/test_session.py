"""The session through the public door: the real application, a simulated phone, a virtual clock."""

from __future__ import annotations

from typing import Any

import pytest

from flowengine.testing.script import Dialled, ExpectEnd, HangUp, Keys, Silence, WaitAudio, WaitSilence

FLOW = """
flow: test
version: 1
nodes:
  greet:
    say: Welcome to the test of the line.
    goto: main
  main:
    say: Press one for the first thing or two for the second thing.
    menu:
      - {key: 1, goto: first}
      - {key: 2, goto: agent}
  first:
    say: This was the first thing.
    goto: end
  agent:
    say: One moment.
    transfer: {to: "+15550100", ring: 20s}
    goto: {ended: bye, busy: busy, else: bye}
  busy:
    say: They are busy.
    goto: bye
  bye:
    say: Goodbye.
    hangup:
"""


@pytest.mark.parametrize("carrier", ["twilio", "vobiz"])
def test_a_call_runs_through_a_menu_to_its_end(world: Any, on_virtual_time: Any, carrier: Any) -> None:
    world.flow(FLOW)

    async def run() -> Any:
        application = await world.start()
        return await world.call(
            application, WaitAudio(0.2), WaitSilence(0.5), Keys("1"), ExpectEnd(20), carrier=carrier
        )

    out = on_virtual_time(run())
    assert out.report.failures == []
    assert out.report.of("wrong", "raced") == []
    assert out.record["ended_reason"] == "flow.hangup"
    assert out.record["path"] == ["greet", "main", "first"]
