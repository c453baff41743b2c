"""What all calls of a process share: which words are ready before the first call, and what outlives a call."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from flowengine import plugins
from flowengine.call.engine import Engine
from flowengine.errors import ProviderError
from flowengine.flow.loader import load
from flowengine.testing import virtual_time
from flowengine.testing.virtual_time import let_pass

FLOW = """
flow: test
version: 1
vars: {number: digits}
catch:
  error: {say: Something broke., goto: end}
nodes:
  a:
    say:
      - Constant words.
      - "For {{ call.from }} only."
      - {one_of: [Either this., Or that.]}
      - {pause: 1s}
    goto: b
  b:
    say: Your number.
    reprompt: [Once more., "Again, {{ number }}."]
    catch:
      toomany: {say: Too many., goto: end}
    collect: {into: number, length: 3, confirm: Is that right}
    goto: c
  c:
    say: Auf Deutsch.
    lang: de
    goto: end
"""
ENGLISH = {
    "Sorry, I did not hear you.",
    "Sorry, that is not one of the choices.",
    "Sorry, that does not look right.",
    "I am sorry, something went wrong. Please call again later. Goodbye.",
}
OWN = {"Constant words.", "Either this.", "Or that.", "Your number.", "Once more.", "Is that right", "Too many.",
       "Something broke.", "Auf Deutsch."}  # fmt: skip


def engine(world: Any) -> Engine:
    return Engine(world.store, world.voice, None, {})


def test_what_is_the_same_in_every_call_is_rendered_before_the_first(world: Any) -> None:
    flow = load("test.yaml", FLOW, plugins.node_types()).flow
    assert flow is not None

    async def work() -> int:
        return await engine(world).warm(flow)

    count = virtual_time.run(work())
    spoken = set(world.voice.spoken)
    assert spoken >= OWN | ENGLISH
    german = {text for text in spoken if "Entschuldigung" in text or "Auf Wieder" in text}
    assert len(german) == 4
    # Nothing of a template, and the handler of all nodes once in each language in which it may be said.
    assert spoken == OWN | ENGLISH | german
    assert count == len(world.voice.spoken) == len(spoken) + 1


def test_a_voice_that_fails_while_warming_is_told(world: Any) -> None:
    world.voice.broken["Your number."] = False
    flow = load("test.yaml", FLOW, plugins.node_types()).flow
    assert flow is not None

    async def work() -> None:
        with pytest.raises(ProviderError):
            await engine(world).warm(flow)

    virtual_time.run(work())


@pytest.mark.parametrize(
    ("error", "logged"), [(ValueError("a bug"), 1), (ProviderError("v", "timeout", retryable=True), 0)]
)
def test_a_failed_task_of_the_process_is_counted(world: Any, caplog: Any, error: Exception, logged: int) -> None:
    async def work() -> Any:
        one = engine(world)

        async def fails() -> None:
            raise error

        one.spawn(fails(), "test")
        states = [one.busy]
        await let_pass(0.1)
        states.append(one.busy)
        assert states == [True, False]
        return dict(one.counts)

    assert virtual_time.run(work()) == {f"failed.{type(error).__name__}": 1}
    assert len([r for r in caplog.records if r.levelno == logging.ERROR]) == logged


def test_closing_is_bounded(world: Any) -> None:
    async def work() -> float:
        one = engine(world)
        await one.start()

        async def stubborn() -> None:
            for _ in range(10):
                try:
                    await let_pass(60)
                except asyncio.CancelledError:
                    continue

        task = one.spawn(stubborn(), "stubborn")
        await let_pass(0.1)
        began = asyncio.get_running_loop().time()
        await one.aclose(deadline=5.0)
        took = asyncio.get_running_loop().time() - began
        await task
        return took

    assert virtual_time.run(work(), limit=3600) == pytest.approx(5.0)
