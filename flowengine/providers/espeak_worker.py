"""The process that speaks: espeak-ng, driven through its C interface, told what to say over a pipe.

Run as ``python -m flowengine.providers.espeak_worker packaged|system``; ``providers.local`` starts it. It is a process
of its own because espeak-ng is GPL-3, keeps global state, and may crash or hang on odd text without taking calls along.

Messages, both ways: ``>IIc`` (length of the payload, request id, kind), then the payload.

    to us    S  speak: JSON {"text", "lang", "voice", "rate"}
             C  cancel, no payload: nothing more of this request is wanted
    from us  R  ready, id 0: the library's version in UTF-8
             A  audio: G.711 µ-law at 8000 Hz
             E  end of a request, no payload
             X  failure, for id 0 of the start: JSON {"kind", "detail"}

The process ends when its standard input does: it never outlives the server.

Source of the C interface: espeak-ng 1.52 ``src/include/espeak-ng/speak_lib.h``.
"""

from __future__ import annotations

import ctypes
import json
import os
import queue
import re
import struct
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from flowengine.audio import mulaw
from flowengine.audio.resample import Resampler

HEADER = struct.Struct(">IIc")
CHUNK = 8000  # bytes of audio per message: one second

_SYNCHRONOUS, _DONT_EXIT, _UTF8, _RATE = 2, 0x8000, 1, 1  # of speak_lib.h
_NORMAL_RATE = 175  # words per minute
_EDGE = 0.06  # seconds of silence left at both ends
_PEAK = 16422  # -6 dBFS
_QUIET = 0.01  # share of the peak below which the ends count as silence
_OTHER_NAMES = {"zh": "cmn", "no": "nb"}  # espeak has the narrower code only
_TAG = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")
_VARIANT = re.compile(r"[A-Za-z0-9_-]+")
# espeak takes control characters as commands or as the end of the text, and [[ as the begin of phonemes.
_COMMANDS = re.compile(r"[\x00-\x1f\x7f]+")


class Refused(Exception):
    """A request or a start that cannot be served: kind of ``ProviderError`` and detail."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


class Espeak:
    """The library; one per process, it keeps global state."""

    def __init__(self, library: str) -> None:
        self._library, data = _load(library)
        rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, _DONT_EXIT)
        if rate <= 0:
            raise Refused("unavailable", "espeak-ng does not find its data")
        path = ctypes.c_char_p()
        self._library.espeak_Info.restype = ctypes.c_char_p
        self.version = self._library.espeak_Info(ctypes.byref(path)).decode().split()[0]
        self._variants = Path(os.fsdecode(path.value or b"")) / "voices" / "!v"
        self._rate = rate
        self._parts: list[NDArray[np.int16]] = []
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
        self._callback = kind(self._collect)  # kept: the library holds only a pointer
        self._library.espeak_SetSynthCallback(self._callback)

    def _collect(self, wave: Any, count: int, events: object) -> int:
        if wave and count > 0:
            self._parts.append(np.ctypeslib.as_array(wave, (count,)).copy())
        return 0

    def speak(self, text: str, lang: str, voice: str, rate: float) -> bytes:
        """µ-law of one text; empty when there is nothing to say. Raises ``Refused``."""
        self._choose(lang, voice)
        words = round(min(450, max(80, _NORMAL_RATE * rate)))
        self._library.espeak_SetParameter(_RATE, words, 0)
        plain = _COMMANDS.sub(" ", text).replace("[[", "[ [").strip().encode(errors="replace")
        if not plain:
            return b""
        self._parts.clear()
        error = self._library.espeak_Synth(plain, ctypes.c_size_t(len(plain) + 1), 0, 0, 0, _UTF8, None, None)
        if error:
            raise Refused("unavailable", f"espeak_Synth gave {error}")
        if not self._parts:
            return b""
        resampler = Resampler(self._rate, 8000)
        pcm = np.concatenate((resampler.process(np.concatenate(self._parts)), resampler.flush()))
        return mulaw.encode(tidy(pcm))

    def _choose(self, lang: str, voice: str) -> None:
        tag = lang.lower().replace("_", "-")
        if not _TAG.fullmatch(tag):
            raise Refused("rejected", f"{lang!r} is no language tag")
        variant = ""
        if voice != "default":
            if not _VARIANT.fullmatch(voice) or not (self._variants / voice).is_file():
                raise Refused("rejected", f"espeak-ng has no voice {voice!r}")
            variant = "+" + voice
        # en-IN is not among its voices, en is: the same language beats silence.
        language = tag.split("-")[0]
        for name in (tag, _OTHER_NAMES.get(language, language)):
            if self._library.espeak_SetVoiceByName((name + variant).encode()) == 0:
                return
        raise Refused("rejected", f"espeak-ng does not speak {lang!r}")


def tidy(pcm: NDArray[np.int16]) -> NDArray[np.int16]:
    """Samples at 8000 Hz without long silent ends, their peak at -6 dBFS; silence becomes nothing."""
    loud = np.abs(pcm.astype(np.int32))
    peak = int(loud.max(initial=0))
    if peak < 33:  # -60 dBFS
        return pcm[:0]
    heard = np.flatnonzero(loud >= peak * _QUIET)
    edge = round(_EDGE * 8000)
    kept = pcm[max(0, int(heard[0]) - edge) : int(heard[-1]) + edge + 1]
    return np.asarray(np.rint(kept * (_PEAK / peak)), np.int16)


def _load(library: str) -> tuple[Any, bytes | None]:
    if library == "system":
        name = {"darwin": "libespeak-ng.dylib", "win32": "libespeak-ng.dll"}.get(sys.platform, "libespeak-ng.so.1")
        try:
            return ctypes.CDLL(name), None
        except OSError as error:
            raise Refused("unavailable", f"the system has no {name} (Debian: apt install libespeak-ng1)") from error
    try:
        import espeakng_loader

        loaded = ctypes.CDLL(espeakng_loader.get_library_path())
        # The library keeps its data's path in 160 characters: a relative one is always short enough.
        os.chdir(Path(espeakng_loader.get_data_path()).parent)
    except (ImportError, OSError, RuntimeError) as error:
        raise Refused("unavailable", f"the package espeakng-loader does not work here: {error}") from error
    return loaded, b"."


def messages(pipe: BinaryIO) -> Iterator[tuple[int, bytes, bytes]]:
    """(request id, kind, payload) until the other side is gone."""
    while len(head := pipe.read(HEADER.size)) == HEADER.size:
        length, request, kind = HEADER.unpack(head)
        yield request, kind, pipe.read(length)


def _answer(pipe: BinaryIO, request: int, kind: bytes, payload: bytes = b"") -> None:
    pipe.write(HEADER.pack(len(payload), request, kind) + payload)
    pipe.flush()


def _refuse(pipe: BinaryIO, request: int, refused: Refused) -> None:
    _answer(pipe, request, b"X", json.dumps({"kind": refused.kind, "detail": str(refused)}).encode())


def main() -> None:
    """Serve until standard input ends."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the library prints must not get between the messages
    todo: queue.SimpleQueue[tuple[int, bytes]] = queue.SimpleQueue()
    cancelled: set[int] = set()

    def listen() -> None:
        for request, kind, payload in messages(sys.stdin.buffer):
            if kind == b"C":
                cancelled.add(request)
            else:
                todo.put((request, payload))
        os._exit(0)  # at once, whatever the library is doing

    try:
        espeak = Espeak(sys.argv[1])
    except Refused as refused:
        _refuse(out, 0, refused)
        return
    threading.Thread(target=listen, daemon=True).start()
    _answer(out, 0, b"R", espeak.version.encode())
    while True:
        request, payload = todo.get()
        # An id of an ended request may be cancelled late; ids only grow, so older ones are of no more use.
        cancelled -= {each for each in list(cancelled) if each < request}
        if request in cancelled:
            continue
        try:
            audio = espeak.speak(**json.loads(payload))
        except Refused as refused:
            _refuse(out, request, refused)
            continue
        for begin in range(0, len(audio), CHUNK):
            if request in cancelled:
                break
            _answer(out, request, b"A", audio[begin : begin + CHUNK])
        _answer(out, request, b"E")


if __name__ == "__main__":
    main()
