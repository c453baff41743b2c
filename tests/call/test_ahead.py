"""An answer that is asked for ahead: taken over as it stands, or dropped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from flowengine.call.ahead import Ahead
from flowengine.call.ports import ModelRequest, Said
from flowengine.errors import ProviderError
from flowengine.testing.virtual_time import let_pass
from tests.call.test_replying import Model

REQUEST = ModelRequest("default", "", "Help.", ({"role": "user", "text": "hello"},))


def spawn(work: Any, name: str) -> asyncio.Task[None]:
    return asyncio.get_running_loop().create_task(work, name=name)


def test_what_was_read_ahead_is_there_at_once(on_virtual_time: Callable[..., Any]) -> None:
    model = Model([[0.3, "one ", 0.3, "two"]])

    async def story() -> tuple[list[tuple[str, float]], int]:
        ahead = Ahead(model, REQUEST, spawn)
        await let_pass(0.4)
        loop = asyncio.get_running_loop()
        began, found = loop.time(), []
        async with ahead.taken() as answer:
            async for part in answer:
                assert isinstance(part, Said)
                found.append((part.text, round(loop.time() - began, 2)))
        return found, len(model.requests)

    assert on_virtual_time(story()) == ([("one ", 0.0), ("two", 0.2)], 1)
    assert model.open == 0


def test_it_fits_what_it_was_asked_and_nothing_else(on_virtual_time: Callable[..., Any]) -> None:
    async def story() -> list[bool]:
        model, other = Model([["x"]]), Model([])
        ahead = Ahead(model, REQUEST, spawn)
        later = ModelRequest("default", "", "Help.", ({"role": "user", "text": "hello there"},))
        found = [ahead.fits(model, REQUEST), ahead.fits(model, later), ahead.fits(other, REQUEST)]
        ahead.drop()
        return found

    assert on_virtual_time(story()) == [True, False, False]


def test_what_nobody_wants_is_closed(on_virtual_time: Callable[..., Any]) -> None:
    model = Model([[60.0, "never"]])

    async def story() -> None:
        ahead = Ahead(model, REQUEST, spawn)
        await let_pass(0.1)
        assert model.open == 1
        ahead.drop()
        await let_pass(0.1)

    on_virtual_time(story())
    assert model.open == 0


def test_a_failure_is_told_to_who_takes_it(on_virtual_time: Callable[..., Any]) -> None:
    async def story() -> None:
        ahead = Ahead(Model([["one", ProviderError("x", "unavailable", retryable=True)]]), REQUEST, spawn)
        async with ahead.taken() as answer:
            assert await anext(aiter(answer)) == Said("one")
            await anext(aiter(answer))

    with pytest.raises(ProviderError):
        on_virtual_time(story())
