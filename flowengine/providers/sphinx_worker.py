"""The process that listens: pocketsphinx, told over a pipe what may be said, and given one utterance at a time.

Run as ``python -m flowengine.providers.sphinx_worker``; ``providers.sphinx`` starts it. It is a process of its own
because recognition takes a tenth of the utterance's time in native code, in which no other call may wait.

Messages, both ways: ``>IIc`` (length of the payload, request id, kind), then the payload.

    to us    U  utterance: ``>I`` (length of the JSON), JSON {"kind", "phrases", "least", "most"}, µ-law at 8000 Hz
    from us  R  ready, id 0
             T  the text: JSON {"text", "confidence", "missing"}; ``missing`` counts phrases with words that the
                pronouncing dictionary does not have
             X  failure of the start, id 0: JSON {"kind", "detail"}

The process ends when its standard input does.

A grammar alone takes whatever it hears for one of its phrases. So the same sound is decoded a second time as phones
in any order, and how the two fit (how well the words match frame by frame, how much worse than free phones, how much
of the speech they cover, how long both are) decides by a logistic rule whether a phrase was said. Its weights are
fitted by ``tests/bench/words.py --fit``.
"""

from __future__ import annotations

import json
import math
import os
import re
import struct
import sys
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from flowengine.audio import mulaw
from flowengine.audio.resample import Resampler

HEADER = struct.Struct(">IIc")
LENGTH = struct.Struct(">I")

YES = ("yes", "yeah", "yep", "yes please", "sure", "okay", "correct", "right", "that's right")
NO = ("no", "nope", "no thanks", "no thank you", "wrong", "that's wrong")
DIGITS = ("zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_SPELT = dict(zip("0123456789", ("zero", *DIGITS[2:]), strict=True))
_WORD = re.compile(r"[a-z']+|[0-9]")
_RATE = 16000  # of the acoustic model
_IMAGE = 0.3  # of what lies above the line's 4 kHz, mirrored: a wideband model hears fricatives better with it
_FLOOR = 60.0  # RMS of the noise that is added: about 30 dB below the speech
_LOUD = 8000.0  # what is louder than 199 of 200 samples is brought to this, but a whisper is no louder than eightfold
_GRAMMARS = 32  # kept ready
_LEARNT = 10_000  # phrases; a flow may make its own of what a caller has, again and again
_SPOKEN = 4  # ways to pronounce one phrase that are tried
_SILENT = frozenset({"<sil>", "<s>", "</s>", "(NULL)", "SIL", "+NSN+", "+SPN+", "[NOISE]", "[SPEECH]"})
_PHONE = 9.0  # frames that a phone usually has
_SHORTEST = 60  # milliseconds of audio below which there is nothing to decode
_PHONES = "phones"

# What a word weighs: see `Evidence.features`. Fitted on the first half of the bench's voices and sentences.
WEIGHTS = (-4.997, -0.864, -0.864, 4.161, 15.531, -8.811, 2.871, -3.529)
ACCEPT = 0.5


class Refused(Exception):
    """A start that is not possible: kind of ``ProviderError`` and detail."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Evidence:
    """How the words of a grammar fit what was said; scores are natural logarithms per frame of 10 ms."""

    text: str
    fit: float = -20.0  # of the words
    worst: float = -20.0  # of the worst word
    loss: float = -20.0  # against phones in any order
    words: int = 0  # frames
    speech: int = 0  # frames
    both: int = 0  # frames
    phones: int = 0  # that the words have

    def features(self) -> list[float]:
        """Give what is weighed."""
        union = max(1, self.words + self.speech - self.both)
        return [
            1.0,
            max(self.fit, -12.0),
            max(self.worst, -12.0),
            max(self.loss, -12.0),
            self.both / union,
            self.speech / 100.0,
            self.words / max(1, self.speech),
            abs(math.log(max(1, self.words) / (_PHONE * max(1, self.phones)))),
        ]

    def confidence(self) -> float:
        """How sure it is that the words were said: 0 to 1."""
        if not self.text:
            return 0.0
        weighed = sum(w * f for w, f in zip(WEIGHTS, self.features(), strict=True))
        return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, weighed))))


@dataclass(frozen=True, slots=True)
class Grammar:
    """A search of the decoder: its name (empty: nothing can be said), its words, and how many phrases it lacks.

    ``texts`` gives for a word of the decoder the phrase that it stands for, and how many phones that has.
    """

    name: str
    texts: dict[str, tuple[str, int]]
    missing: int


class Sphinx:
    """The recognizer; raises ``Refused`` where pocketsphinx is not installed or does not find its model."""

    def __init__(self) -> None:
        try:
            from pocketsphinx import Decoder, get_model_path
        except ImportError as error:
            raise Refused("unavailable", f"{error}; install it: pip install 'flowengine[sphinx]'") from error
        model = get_model_path("en-us")
        try:
            self._decoder: Any = Decoder(
                hmm=f"{model}/en-us", dict=f"{model}/cmudict-en-us.dict", lm=None, loglevel="FATAL"
            )
            self._decoder.add_allphone_file(_PHONES, None)
        except RuntimeError as error:
            raise Refused("unavailable", f"pocketsphinx does not start: {error}") from error
        self._grammars: OrderedDict[tuple[Any, ...], Grammar] = OrderedDict()
        self._made = 0
        self._known: dict[str, str] = {}  # the decoder's word by pronunciation: words can not be taken out again

    @property
    def full(self) -> bool:
        """Whether it has learnt so many phrases that a new one should take its place."""
        return len(self._known) > _LEARNT

    def hear(
        self, audio: bytes, kind: str, phrases: Sequence[str] = (), least: int = 0, most: int = 0
    ) -> tuple[str, float, int]:
        """Give the words of µ-law audio, how sure they are, and how many phrases could not be listened for."""
        grammar = self.grammar(kind, phrases, most)
        if not grammar.name or len(audio) < _SHORTEST * 8:
            return "", 0.0, grammar.missing
        pcm = wideband(mulaw.decode(audio))
        evidence = self.weigh(pcm, grammar, self.phones(pcm))
        sure = evidence.confidence()
        fits = kind != "digits" or _fits(evidence.text, least, most)
        return (evidence.text if sure >= ACCEPT and fits else ""), sure, grammar.missing

    def grammar(self, kind: str, phrases: Sequence[str], most: int = 0) -> Grammar:
        """Give the grammar of what is waited for; of most types of values there is none."""
        digits = DIGITS if kind == "digits" else ()
        whole = (*phrases, *(YES + NO if kind == "yesno" else ())) if kind in ("choice", "yesno", "digits") else ()
        key = (digits, whole, most == 1)
        if (found := self._grammars.get(key)) is not None:
            self._grammars.move_to_end(key)
            return found
        if len(self._grammars) >= _GRAMMARS:
            _, old = self._grammars.popitem(last=False)
            if old.name:
                self._decoder.remove_search(old.name)
        self._grammars[key] = made = self._make(*key)
        return made

    def _make(self, digits: Sequence[str], whole: Sequence[str], single: bool) -> Grammar:
        texts: dict[str, tuple[str, int]] = {}
        looped = self._words(digits, texts)
        said = " | ".join(self._words(whole, texts))
        missing = len({*digits, *whole} - {phrase for phrase, _ in texts.values()})
        if not texts:
            return Grammar("", {}, missing)
        if looped:
            one = " | ".join(looped)
            double = "" if single else " | ".join(self._words(("double",), texts))
            said = " | ".join(filter(None, (one if single else f"([{double}] ({one}))+", said)))
        self._made += 1
        name = f"g{self._made}"
        self._decoder.add_jsgf_string(name, f"#JSGF V1.0;\ngrammar {name};\npublic <said> = {said};\n")
        return Grammar(name, texts, missing)

    def _words(self, phrases: Sequence[str], texts: dict[str, tuple[str, int]]) -> list[str]:
        """Give the decoder's words for phrases, and note in ``texts`` what they stand for; the first one counts."""
        words = []
        for phrase in phrases:
            for phones in self._pronunciations(phrase):
                word = self._word(phones)
                if word not in texts:
                    texts[word] = phrase, len(phones.split())
                    words.append(word)
        return words

    def _word(self, phones: str) -> str:
        """Give the decoder's word for a pronunciation: a phrase is one word, which is said whole or not at all."""
        word = self._known.get(phones)
        if word is None:
            word = self._known[phones] = f"said{len(self._known)}"
            self._decoder.add_word(word, phones, False)  # the search that will use it is made later
        return word

    def _pronunciations(self, phrase: str) -> list[str]:
        each = []
        for word in _WORD.findall(phrase.lower().replace("’", "'")):
            name = _SPELT.get(word, word)
            found = [self._decoder.lookup_word(name + (f"({n})" if n > 1 else "")) for n in (1, 2, 3)]
            each.append([phones for phones in found if phones])
        return [" ".join(parts) for parts in islice(product(*each), _SPOKEN)] if each else []

    def phones(self, pcm: NDArray[np.int16]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Decode samples at 16 kHz as phones in any order: their score by frame, and where there is speech."""
        score, speech, _ = self._decode(_PHONES, pcm, 1024.0)
        return score, speech

    def weigh(
        self, pcm: NDArray[np.int16], grammar: Grammar, phones: tuple[NDArray[np.float64], NDArray[np.bool_]]
    ) -> Evidence:
        """Decode by a grammar, and say how that fits."""
        score, words, parts = self._decode(grammar.name, pcm, 1.0)
        free, speech = phones
        if not parts:
            return Evidence("")
        known = [grammar.texts[word] for word, _, _ in parts]
        return Evidence(
            " ".join(text for text, _ in known),
            float(score[words].mean()),
            min(float(score[begin:end].mean()) for _, begin, end in parts),
            float((score - free)[words | speech].mean()),
            int(words.sum()),
            int(speech.sum()),
            int((words & speech).sum()),
            sum(count for _, count in known),
        )

    def _decode(
        self, search: str, pcm: NDArray[np.int16], scale: float
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_], list[tuple[str, int, int]]]:
        """Give the score by frame, which frames are no silence, and the parts that are none.

        The decoder gives the scores of the phone search 1024 times too near to zero (its SENSCR_SHIFT): ``scale``.
        """
        decoder = self._decoder
        decoder.activate_search(search)
        decoder.start_utt()
        decoder.process_raw(pcm.tobytes(), full_utt=True)
        decoder.end_utt()
        frames = pcm.size // 160 + 2
        score, spoken = np.zeros(frames), np.zeros(frames, np.bool_)
        parts = []
        for part in decoder.seg() or ():
            begin, end = part.start_frame, part.end_frame + 1
            if end <= begin:
                continue
            score[begin:end] = scale * (math.log(part.ascore) if part.ascore > 0 else -745.0) / (end - begin)
            word = re.sub(r"\(\d+\)$", "", part.word)
            if word not in _SILENT:
                spoken[begin:end] = True
                parts.append((word, begin, end))
        return score, spoken, parts


def _fits(text: str, least: int, most: int) -> bool:
    """Whether the digits are as many as may be; `double five` are two words and two digits. Phrases always fit."""
    words = text.split()
    spelt = all(word in DIGITS or word == "double" for word in words)
    return not spelt or least <= len(words) <= (most or len(words))


def wideband(pcm: NDArray[np.int16]) -> NDArray[np.int16]:
    """Samples at 8000 Hz -> 16000 Hz for the acoustic model: of one loudness, with a faint mirror image and noise.

    Without the noise, the silence of a digital line is so much quieter than any that the model has heard that the mean
    of the utterance, which the decoder takes out, has little to do with the speech.
    """
    loud = float(np.percentile(np.abs(pcm.astype(np.float64)), 99.5)) if pcm.size else 0.0
    gain = min(8.0, _LOUD / max(1.0, loud))
    resampler = Resampler(8000, _RATE)
    smooth = np.concatenate((resampler.process(pcm), resampler.flush())).astype(np.float64)
    stuffed = np.zeros(2 * pcm.size)
    stuffed[::2] = 2.0 * pcm
    floor = np.random.default_rng(0).standard_normal(stuffed.size) * _FLOOR  # the same sound gives the same words
    return np.clip(np.rint(gain * (smooth + _IMAGE * (stuffed - smooth)) + floor), -32768, 32767).astype(np.int16)


def messages(pipe: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """(request id, payload) until the other side is gone."""
    while len(head := pipe.read(HEADER.size)) == HEADER.size:
        length, request, _ = HEADER.unpack(head)
        yield request, pipe.read(length)


def _answer(pipe: BinaryIO, request: int, kind: bytes, said: dict[str, Any] | None = None) -> None:
    payload = b"" if said is None else json.dumps(said).encode()
    pipe.write(HEADER.pack(len(payload), request, kind) + payload)
    pipe.flush()


def main() -> None:
    """Serve until standard input ends."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the library prints must not get between the messages
    try:
        sphinx = Sphinx()
    except Refused as refused:
        _answer(out, 0, b"X", {"kind": refused.kind, "detail": str(refused)})
        return
    _answer(out, 0, b"R")
    for request, payload in messages(sys.stdin.buffer):
        (length,) = LENGTH.unpack_from(payload)
        wanted = json.loads(payload[LENGTH.size : LENGTH.size + length])
        text, sure, missing = sphinx.hear(payload[LENGTH.size + length :], **wanted)
        _answer(out, request, b"T", {"text": text, "confidence": sure, "missing": missing})
        if sphinx.full:
            sphinx = Sphinx()


if __name__ == "__main__":
    main()
