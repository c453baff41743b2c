from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from flowengine.testing.report import CallReport, Stretch, read_voice


def test_the_recording_has_the_caller_left_and_the_bot_right(tmp_path: Path) -> None:
    report = CallReport(duration=1.0)
    report.spoken.append(Stretch(0.0, bytearray(b"\x80" * 80)))
    report.played += [Stretch(0.5, bytearray(b"\x00" * 80)), Stretch(0.995, bytearray(b"\x00" * 80))]
    report.save_wav(tmp_path / "call.wav")
    with wave.open(str(tmp_path / "call.wav")) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (2, 8000, 8040)
        track = np.frombuffer(file.readframes(8040), "<i2").reshape(-1, 2)
    assert np.flatnonzero(track[:, 0]).tolist() == list(range(80))
    assert np.flatnonzero(track[:, 1]).tolist() == [*range(4000, 4080), *range(7960, 8040)]


def write(path: Path, *, channels: int = 1, rate: int = 8000, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setframerate(rate)
        file.setsampwidth(width)
        file.writeframes(np.full(100 * channels, 32124, "<i2").tobytes())
    return path


def test_voices(tmp_path: Path) -> None:
    assert read_voice(write(tmp_path / "a.wav")) == b"\x80" * 100
    mulaw = (
        b"RIFF\0\0\0\0WAVEfmt \x12\0\0\0\x07\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0\0\0data\x03\0\0\0\x80\x81\x82"
    )
    (tmp_path / "b.wav").write_bytes(mulaw)
    assert read_voice(tmp_path / "b.wav") == b"\x80\x81\x82"


@pytest.mark.parametrize("shape", [{"channels": 2}, {"rate": 16000}, {"width": 1}])
def test_other_shapes_are_refused(tmp_path: Path, shape: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="need mono, 8000 Hz"):
        read_voice(write(tmp_path / "a.wav", **shape))


def test_what_is_no_wav(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"ID3")
    with pytest.raises(ValueError, match="not a WAV file"):
        read_voice(tmp_path / "a.wav")
