from __future__ import annotations

import numpy as np

from flowengine.audio import mulaw
from flowengine.testing.microphone import Echo, Microphone, Room
from flowengine.testing.report import Stretch

SILENCE = b"\xff" * 160
NOISE = np.arange(-500, 500, dtype=np.int16)


def decoded(audio: bytes) -> list[int]:
    return [int(sample) for sample in mulaw.decode(audio)]


def test_in_a_silent_room_the_voice_stays_bit_by_bit() -> None:
    voice = bytes(range(256))
    assert Microphone(Room(), []).hear(voice, 1.0, 0) is voice


def test_noise_goes_on_through_frames_and_streams() -> None:
    """It is a matter of the call's time, so a later stream has what would have come then; it repeats."""
    microphone = Microphone(Room(noise=NOISE), [])
    assert microphone.hear(SILENCE, 0.0, 0) == mulaw.encode(NOISE[:160])
    assert microphone.hear(SILENCE, 0.0, 160) == mulaw.encode(NOISE[160:320])
    assert microphone.hear(SILENCE, 0.03, 80) == mulaw.encode(NOISE[320:480])
    assert microphone.hear(SILENCE, 0.0, 960) == mulaw.encode(np.concatenate([NOISE[960:], NOISE[:120]]))


def test_an_echo_is_what_was_played_to_the_sample() -> None:
    played = Stretch(0.1, bytearray(mulaw.encode(np.arange(0, 8000, 10, dtype=np.int16))))
    microphone = Microphone(Room(echo=Echo(-20.0, 0.05)), [Stretch(0.0, bytearray(b"\x80" * 80)), played])
    heard = [microphone.hear(SILENCE, 0.0, position) for position in range(0, 2400, 160)]
    track = np.array(decoded(b"".join(heard)))
    # The first stretch comes back 400 samples late, the second 800 + 400.
    assert set(track[400:480]) == {3260}
    assert not track[:400].any()
    assert not track[480:1200].any()
    expected = mulaw.decode(mulaw.encode(np.rint(mulaw.decode(bytes(played.audio)) * 0.1).astype(np.int16)))
    assert np.array_equal(track[1200:2000], expected)
    assert not track[2000:].any()


def test_an_echo_stops_where_what_is_played_was_cleared() -> None:
    played = Stretch(0.0, bytearray(b"\x80" * 800))
    microphone = Microphone(Room(echo=Echo(0.0, 0.0)), [played])
    assert microphone.hear(SILENCE, 0.0, 0) == b"\x80" * 160
    del played.audio[160:]
    assert microphone.hear(SILENCE, 0.0, 160) == SILENCE


def test_voice_noise_and_echo_add_up() -> None:
    room = Room(np.full(100, 1000, np.int16), Echo(-6.02, 0.0))
    heard = Microphone(room, [Stretch(0.0, bytearray(mulaw.encode(np.full(160, 4000, np.int16))))])
    voice = mulaw.encode(np.full(160, 500, np.int16))
    assert abs(decoded(heard.hear(voice, 0.0, 0))[0] - 3500) < 100
