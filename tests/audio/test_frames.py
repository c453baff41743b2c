from __future__ import annotations

import random

import pytest

from flowengine.audio.frames import Reframer
from flowengine.errors import Bug


@pytest.mark.parametrize("seed", range(20))
def test_any_chunking_gives_the_same_frames(seed: int) -> None:
    rng = random.Random(seed)
    data = rng.randbytes(rng.randrange(0, 2000))
    reframer = Reframer(160)
    frames: list[bytes] = []
    at = 0
    while at < len(data):
        size = rng.choice([0, 1, 7, 159, 160, 161, 500])
        frames.extend(reframer.push(data[at : at + size]))
        at += size
    assert all(len(frame) == 160 for frame in frames)
    tail = reframer.flush(0xFF)
    assert len(tail) in (0, 160)
    assert b"".join(frames) + tail == data + b"\xff" * (-len(data) % 160)


def test_flush_gives_nothing_when_all_frames_were_whole() -> None:
    reframer = Reframer(4)
    assert list(reframer.push(b"abcdefgh")) == [b"abcd", b"efgh"]
    assert reframer.flush(0) == b""


def test_push_takes_the_bytes_even_if_nobody_reads_its_frames() -> None:
    reframer = Reframer(4)
    reframer.push(b"abc")
    assert list(reframer.push(b"d")) == [b"abcd"]


def test_flush_forgets() -> None:
    reframer = Reframer(4)
    list(reframer.push(b"ab"))
    assert reframer.flush(0) == b"ab\0\0"
    assert reframer.flush(0) == b""


def test_refuses_an_empty_frame() -> None:
    with pytest.raises(Bug):
        Reframer(0)
