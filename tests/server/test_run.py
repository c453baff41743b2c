"""The composition root: the port, the start, and what keeps a server from starting."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from typing import Any

import pytest

from flowengine.errors import EnvironmentProblem, ProviderError
from flowengine.server.run import Application, Ports, bind, uvicorn_config
from flowengine.settings import FlowSettings, ServerSettings, Settings
from flowengine.testing import virtual_time
from flowengine.testing.script import ExpectEnd, HangUp, Silence
from flowengine.testing.virtual_time import let_pass

FLOW = "flow: test\nversion: 1\nnodes:\n  a: {say: Hello to you., menu: [{key: 1, goto: end}]}\n"


def at(host: str, port: int) -> Settings:
    return Settings(server=ServerSettings(host, port))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_port_0_becomes_the_one_that_was_given(host: str) -> None:
    raw, settings = bind(at(host, 0))
    with raw:
        assert settings.server.port == raw.getsockname()[1] > 0
        assert settings.public_url.endswith(f":{settings.server.port}")


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EnvironmentProblem, match=f"127.0.0.1:{port} can not be listened on"):
            bind(at("127.0.0.1", port))


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host"])
def test_an_address_that_is_not_ours_is_told(host: str) -> None:
    with pytest.raises(EnvironmentProblem, match="can not be listened on"):
        bind(at(host, 0))


def application(world: Any, settings: Settings | None = None) -> Application:
    return Application(settings or world.settings(), Ports(world.store, world.voice, None))


def test_an_empty_folder_is_an_environment_problem(world: Any) -> None:
    with pytest.raises(EnvironmentProblem, match="there is no flow in"):
        virtual_time.run(application(world).start())
    settings = replace(world.settings(), flows=FlowSettings(str(world.folder / "nowhere")))
    with pytest.raises(EnvironmentProblem, match="there is no flow in"):
        virtual_time.run(application(world, settings).start())


def test_flows_with_errors_start_nothing(world: Any) -> None:
    world.flow(FLOW)
    world.flow("flow: bad\nversion: 1\nnodes: {}\n", "bad")
    one = application(world)
    virtual_time.run(one.start())
    assert [file.rpartition("/")[2] for _, file in one.findings] == ["bad.yaml"]
    assert one.webhooks is None
    assert world.voice.spoken == []
    virtual_time.run(one.drain(10.0))


def test_without_a_voice_there_is_no_server(world: Any) -> None:
    world.flow(FLOW)
    world.voice.broken["Hello to you."] = False
    with pytest.raises(ProviderError):
        virtual_time.run(application(world).start())


def test_a_recording_that_can_not_be_played_keeps_the_server_from_starting(world: Any) -> None:
    world.flow(FLOW.replace("Hello to you.", "[{audio: nowhere.wav}]"))
    with pytest.raises(EnvironmentProblem, match=r"nowhere\.wav"):
        virtual_time.run(application(world).start())


def test_words_are_ready_before_the_first_call(world: Any) -> None:
    world.flow(FLOW)

    async def work() -> None:
        one = await world.start()
        before = list(world.voice.spoken)
        assert "Hello to you." in before
        await world.call(one, Silence(1.0), HangUp())
        assert world.voice.spoken == before

    virtual_time.run(work())


DRAINS = [
    # seconds of the drain, the caller's patience, how the call ends
    (60.0, 5.0, "caller.hangup"),
    (2.0, 30.0, "engine.drained"),
    (0.0, 30.0, "engine.drained"),
]


@pytest.mark.parametrize(("seconds", "patience", "reason"), DRAINS)
def test_a_drain_lets_calls_end_until_its_time_is_over(
    world: Any, seconds: float, patience: float, reason: str
) -> None:
    world.flow(FLOW)

    async def work() -> tuple[str, float]:
        one = await world.start()
        loop = asyncio.get_running_loop()
        call = asyncio.create_task(world.call(one, Silence(patience), ExpectEnd(1)))
        await let_pass(1.0)
        began = loop.time()
        await one.drain(seconds)
        took = loop.time() - began
        return (await call).record["ended_reason"], took

    found, took = virtual_time.run(work())
    assert found == reason
    assert took <= seconds + 10.0


def test_the_server_leaves_signals_and_logs_to_us(world: Any) -> None:
    config = uvicorn_config(application(world), at("127.0.0.1", 0))
    assert (config.access_log, config.log_config, config.server_header, config.lifespan) == (False, None, False, "off")
    assert config.ws_max_size == 64 * 1024
    assert not config.ws_per_message_deflate
