from __future__ import annotations

import io
import json
import subprocess
import sys

import numpy as np
import pytest

from flowengine.audio import tones
from flowengine.providers import espeak_worker
from flowengine.providers.espeak_worker import HEADER, messages, tidy

COMMAND = (sys.executable, "-m", "flowengine.providers.espeak_worker", "packaged")


def test_tidy_trims_the_ends_and_sets_the_level() -> None:
    silence = np.zeros(8000, np.int16)
    out = tidy(np.concatenate((silence, tones.sine(400, 0.5, peak_dbfs=-30.0), silence)))
    assert out.size == pytest.approx(4000 + 2 * 480, abs=5)
    assert np.abs(out).max() == pytest.approx(32767 * 10 ** (-6 / 20), rel=0.001)


def test_tidy_makes_nothing_of_silence() -> None:
    assert tidy(np.full(8000, 20, np.int16)).size == 0
    assert tidy(np.empty(0, np.int16)).size == 0


def test_messages_end_with_the_pipe() -> None:
    pipe = io.BytesIO(HEADER.pack(3, 7, b"A") + b"abc" + HEADER.pack(0, 8, b"E") + b"rest")
    assert list(messages(pipe)) == [(7, b"A", b"abc"), (8, b"E", b"")]


def test_speaks_and_ends_with_its_input() -> None:
    text = json.dumps({"text": "Hello", "lang": "en-US", "voice": "default", "rate": 1.0}).encode()
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        answers = messages(process.stdout)  # type: ignore[arg-type]
        assert next(answers)[1] == b"R"
        for number in (1, 2):
            process.stdin.write(HEADER.pack(len(text), number, b"S") + text)
            process.stdin.flush()
            assert [next(answers)[:2], next(answers)[:2]] == [(number, b"A"), (number, b"E")]
        process.stdin.close()
        assert process.wait(timeout=5) == 0
        assert list(answers) == []


def test_header_is_nine_bytes() -> None:
    assert espeak_worker.HEADER.size == 9
