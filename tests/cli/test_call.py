"""`flowengine call`: a real call to a server of its own and to a running one, and what it says when used wrongly."""

from __future__ import annotations

import asyncio
import os
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from flowengine.cli._local import local_server
from flowengine.cli.main import main
from flowengine.testing.loudness import active_level, level

FLOW = """
flow: test
version: 1
nodes:
  a: {say: One or two., menu: [{key: 1, goto: bye}, {key: 2, goto: a}]}
  bye: {say: Bye., hangup: }
"""


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["call", *arguments])


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    path = tmp_path / "test.yaml"
    path.write_text(FLOW)
    return path


def test_a_call_to_a_server_of_its_own(flow: Path, tmp_path: Path) -> None:
    """The words are printed from its trace as they are said, and both sides are recorded."""
    wav = tmp_path / "call.wav"
    result = call(str(flow), "--keys", "1", "--record", str(wav))
    assert result.exit_code == 0, result.output
    lines = [line.split(maxsplit=2)[1:] for line in result.stdout.splitlines()]
    wanted = [["flow", "→ a"], ["bot", "One or two."], ["caller", "presses 1"], ["flow", "→ bye"], ["bot", "Bye."]]
    places = [lines.index(line) for line in wanted]
    assert places == sorted(places)
    assert ["flow", "ended: flow.hangup"] in lines
    with wave.open(str(wav), "rb") as file:
        assert (file.getnchannels(), file.getframerate()) == (2, 8000)
        assert file.getnframes() > 8000


def test_a_caller_with_a_voice_in_a_loud_place(flow: Path, tmp_path: Path) -> None:
    """A text is spoken, there is noise all the time, and what is played comes back."""
    script = tmp_path / "call.yaml"
    script.write_text(
        "line: {noise: {kind: white, level: -60}}\n"
        "steps:\n- wait_audio: 0.2\n- say: {text: 'No, <0.3s> wait.', voice: en-us+f3}\n- keys: '1'\n- expect_end: 20\n"
    )
    wav = tmp_path / "call.wav"
    arguments = ["--script", str(script), "--noise", "babble:-50", "--echo", "-30:100", "--record", str(wav)]
    result = call(str(flow), *arguments)
    assert result.exit_code == 0, result.output
    assert 'caller says "No wait"' in result.stdout
    with wave.open(str(wav), "rb") as file:
        left = np.frombuffer(file.readframes(file.getnframes()), "<i2")[::2] / 32768
    assert active_level(left) == pytest.approx(-22.0, abs=3.0)
    frames = left[4000 : len(left) // 160 * 160 - 4000].reshape(-1, 160)
    # Babble alone is about as loud as was asked for, and never silent.
    assert -60.0 < level(frames[np.argsort(np.square(frames).mean(axis=1))[:20]]) < -45.0


def test_a_call_whose_flow_runs_a_tool(flow: Path, tmp_path: Path) -> None:
    """Its server has what the author's settings say of tools and of the environment, and nothing else of them."""
    flow.write_text(
        'flow: test\nversion: 1\ntools:\n  price: {python: "acme_called:price"}\nnodes:\n'
        '  a: {tool: {name: price, with: {what: "{{ env.WHAT }}"}}, goto: b}\n  b: {say: "{{ result }}.", goto: end}\n'
    )
    (tmp_path / "acme_called.py").write_text("def price(what):\n    return what + ' costs three euros'\n")
    settings = tmp_path / "settings.yaml"
    settings.write_text(
        'tools: {python: [acme_called]}\nenv: [WHAT]\ncarriers: {twilio: {token: "${NOT_SET_HERE_AT_ALL}"}}\n'
    )
    arguments = ["call", str(flow), "--settings", str(settings)]
    result = CliRunner().invoke(main, arguments, env={"WHAT": "Bread"})
    assert result.exit_code == 0, result.output
    assert "bot    Bread costs three euros." in result.stdout
    # Without them the tool is not allowed.
    result = call(str(flow))
    assert result.exit_code == 3
    assert "tool-not-allowed" in result.stderr


def test_a_call_to_a_running_server(flow: Path, tmp_path: Path) -> None:
    """Its token is read from the settings; with a wrong one the call is refused, and without a server not answered."""

    async def go() -> list[tuple[int, str, str]]:
        async def one(url: str, token: str) -> tuple[int, str, str]:
            settings = tmp_path / "settings.yaml"
            settings.write_text('carriers: {vobiz: {token: "${THE_TOKEN}"}}\n')
            command = ["call", "test", "--to", url, "--carrier", "vobiz", "--keys", "1", "--settings", str(settings)]
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "flowengine", *command,
                env={**os.environ, "THE_TOKEN": token},
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            out, errors = await asyncio.wait_for(process.communicate(), 60)
            return process.returncode or 0, out.decode(), errors.decode()

        async with local_server(flow) as server:
            answered = await one(server.url + "/", server.token)
            refused = await one(server.url, "wrong")
        return [answered, refused, await one(server.url, "any")]

    answered, refused, nobody = asyncio.run(go())
    assert answered[0] == 0, answered
    assert "speaks" in answered[1]
    assert "presses 1" in answered[1]
    assert "hung up" in answered[1]
    assert (refused[0], nobody[0]) == (1, 1)
    assert "the call ended: refused 403" in refused[2]
    assert "the call ended: no answer" in nobody[2]


WRONG = [
    (("nowhere.yaml",), "there is no flow at nowhere.yaml"),
    (("FLOW", "--settings", "nowhere.yaml"), "there are no settings at nowhere.yaml"),
    (("--script", "nowhere.yaml"), "nowhere.yaml"),
    (("--script", "FLOW", "--keys", "1"), "do not go with it"),
    (("--script", "FLOW"), "test.yaml:"),
    (("--carrier", "nobody"), "nobody"),
    (("--delay", "soon"), "soon"),
    (("--keys", "1x"), "--keys takes 0123456789*#ABCD and blanks, not x"),
    (("--say", "nowhere.wav"), "nowhere.wav"),
    (("--say", "..."), "there is nothing to say in '...'"),
    (("--say", "Hello", "--voice", "xx"), "voice 'xx'"),
    (("--say", "Hello", "--voice", "en-us+nobody"), "en-us+nobody"),
    (("--say", "a.wav", "--voice", "en-us"), "--voice speaks the text of --say"),
    (("--voice", "en-us"), "--voice speaks the text of --say"),
    (("--script", "FLOW", "--say", "Hello"), "do not go with it"),
    (("--noise", "rain:-40"), "--noise takes KIND:LEVEL"),
    (("--noise", "car"), "--noise takes KIND:LEVEL"),
    (("--noise", "car:3"), "--noise takes KIND:LEVEL"),
    (("--echo", "20"), "--echo takes DB or DB:MS"),
    (("--echo", "-20:soon"), "--echo takes DB or DB:MS"),
]


@pytest.mark.parametrize(("arguments", "says"), WRONG)
def test_wrong_usage_is_2_and_says_what(flow: Path, arguments: tuple[str, ...], says: str) -> None:
    result = call(*(str(flow) if one == "FLOW" else one for one in arguments))
    assert result.exit_code == 2, result.output
    assert says in result.stderr


def test_a_script_that_can_not_be_spoken_is_told_with_its_line(flow: Path, tmp_path: Path) -> None:
    script = tmp_path / "call.yaml"
    script.write_text("steps:\n- wait_audio: 0.2\n- say: {text: Hello, voice: xx}\n")
    result = call(str(flow), "--script", str(script))
    assert result.exit_code == 2, result.output
    assert f"{script}:3: voice 'xx'" in result.stderr


def test_a_flow_with_a_mistake_is_told_in_its_own_file(flow: Path) -> None:
    flow.write_text(FLOW.replace("goto: bye}", "goto: bey}"))
    result = call(str(flow))
    assert result.exit_code == 1
    assert f"{flow}:5:" in result.stderr
    assert 'did you mean "bye"?' in result.stderr
