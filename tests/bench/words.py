"""How well the recognizer of ``providers.sphinx`` hears, by voice and noise, and how much it hears that nobody said.

    python -m tests.bench.words          judge by the voices and sentences that nothing was fitted on (some minutes)
    python -m tests.bench.words --fit    fit the weights of ``sphinx_worker.WEIGHTS`` on the others, and print them

Right is the right option (`my account` for `account` is right), or the right one of yes and no. A foreign sentence or a
noise is wrongly taken when any phrase comes of it; noises pass the engine's voice detector first, as in a call, and are
also shown without it. The rule for a default: at 30 dB at least 85 % of menus, of yes/no
and of single digits, and at most 5 % of foreign sentences and of noises.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np

from flowengine.audio import mulaw
from flowengine.providers.sphinx_worker import ACCEPT, Evidence, Grammar, Sphinx, wideband
from tests.bench.detector_of_words import lets_through
from tests.bench.sounds_of_words import KINDS, MENUS, NOISES, SENTENCES, line, no_speech, spoken, voices

CLEAN = 200.0  # dB
CONDITIONS = [(CLEAN, "white"), *((snr, noise) for noise in ("white", "car") for snr in (30.0, 20.0, 10.0, 5.0))]
FITTED = [(CLEAN, "white"), (30.0, "white"), (20.0, "car")]
MENUS_OF_A_SENTENCE = 3
NOISES_OF_A_KIND = 16
_ALLOWED = 0.04  # of sentences and of noises, where the threshold is set: the rule allows 0.05, of others


class Bench:
    """The recognizer and its grammars, without a process around it."""

    def __init__(self) -> None:
        self.sphinx = Sphinx()
        self.options = {
            menu: {phrase: number for number, phrases in enumerate(options) for phrase in phrases}
            for menu, options in MENUS.items()
        }

    def grammar(self, menu: str) -> Grammar:
        """Give a menu's grammar; that of digits for one digit, as a menu's keys are said."""
        return self.sphinx.grammar(KINDS.get(menu, "choice"), tuple(self.options[menu]), most=1)

    def hear(self, audio: bytes, *menus: str) -> Iterator[tuple[str, Evidence]]:
        """Weigh one sound by the grammars of some menus."""
        pcm = wideband(mulaw.decode(audio))
        phones = self.sphinx.phones(pcm)
        for menu in menus:
            yield menu, self.sphinx.weigh(pcm, self.grammar(menu), phones)

    def said(self, voice: str, snr: float, noise: str) -> Iterator[tuple[str, bool, Evidence]]:
        """Say every phrase of every menu: menu, whether the right option is the best one, and the evidence."""
        for menu, options in self.options.items():
            for phrase, option in options.items():
                for _, found in self.hear(line(spoken(voice, phrase), snr, noise, voice, phrase), menu):
                    yield menu, options.get(found.text) == option, found

    def foreign(self, voice: str, sentences: tuple[str, ...], snr: float, noise: str) -> Iterator[tuple[str, Evidence]]:
        """Say sentences to some menus each."""
        names = list(MENUS)
        for number, sentence in enumerate(sentences):
            menus = [names[(number + step * 3) % len(names)] for step in range(MENUS_OF_A_SENTENCE)]
            yield from self.hear(line(spoken(voice, sentence), snr, noise, voice, sentence), *menus)

    def noises(self, first: int) -> Iterator[tuple[str, bool, Evidence]]:
        """Let every menu hear every noise: kind, whether the voice detector lets it through, and the evidence."""
        for kind in NOISES:
            for number in range(first, first + NOISES_OF_A_KIND):
                sound = no_speech(kind, number)
                through = lets_through(sound)
                for _, found in self.hear(sound, *MENUS):
                    yield kind, through, found


def accepted(found: Evidence) -> bool:
    """Whether words come of it."""
    return found.confidence() >= ACCEPT


def group(menu: str) -> str:
    """Give what a menu counts for."""
    return menu if menu in KINDS else "menus"


def judge() -> None:
    """Measure with the second half of voices and sentences, and print the tables."""
    bench, held = Bench(), voices()[len(voices()) // 2 :]
    right: defaultdict[tuple[object, ...], list[bool]] = defaultdict(list)
    raw: Counter[bool] = Counter()
    for snr, noise in CONDITIONS:
        for voice in held:
            for menu, best, found in bench.said(voice, snr, noise):
                right[snr, noise, voice].append(best and accepted(found))
                right[snr, noise, group(menu)].append(best and accepted(found))
                if (snr, noise) == (30.0, "white"):
                    raw[best] += 1
        row(right, snr, noise, held)
    tell(f"\nwithout rejection, white 30 dB: {percent(raw[True], raw.total())}")
    for name, outcomes in wrong(bench, held).items():
        tell(f"wrongly taken, {name:16} {percent(sum(outcomes), len(outcomes))}")


def wrong(bench: Bench, held: list[str]) -> dict[str, list[bool]]:
    """Say what nobody should take for a phrase."""
    found: defaultdict[str, list[bool]] = defaultdict(list)
    for voice in held:
        for menu, evidence in bench.foreign(voice, SENTENCES[1::2], 30.0, "white"):
            found["sentences"].append(accepted(evidence))
            found[f"- {group(menu)}"].append(accepted(evidence))
            found[f"- {voice}"].append(accepted(evidence))
    for kind, through, evidence in bench.noises(1000):
        found["noises"].append(through and accepted(evidence))
        found[f"- {kind}"].append(through and accepted(evidence))
        found["(undetected)"].append(accepted(evidence))
        found[f"({kind})"].append(accepted(evidence))
    return found


def tell(*words: object) -> None:
    """A benchmark prints."""
    print(*words, flush=True)  # noqa: T201


def percent(part: int, whole: int) -> str:
    """A share, and of how many."""
    return f"{100.0 * part / max(1, whole):5.1f} %  (n={whole})"


def row(right: dict[tuple[object, ...], list[bool]], snr: float, noise: str, held: list[str]) -> None:
    """Print what was right under one condition."""
    columns = ["menus", "yes/no", "digits", *held]
    if (snr, noise) == CONDITIONS[0]:
        counts = [f"{name} ({len(right[snr, noise, name])})" for name in columns]
        tell(f"{'% right (n)':14}", *(f"{count:>20}" for count in counts))
    shares = [100.0 * np.mean(right[snr, noise, name]) for name in columns]
    name = "clean" if snr == CLEAN else f"{noise} {snr:.0f} dB"
    tell(f"{name:14}", *(f"{share:20.1f}" for share in shares))


def fit() -> None:
    """Fit the weights: the words of right answers against foreign sentences and noises."""
    bench, tuned = Bench(), voices()[: len(voices()) // 2]
    good, bad, noisy = [], [], []
    for snr, noise in FITTED:
        for voice in tuned:
            good += [found.features() for _, best, found in bench.said(voice, snr, noise) if best]
    for voice in tuned:
        bad += [found.features() for _, found in bench.foreign(voice, SENTENCES[::2], 30.0, "white") if found.text]
    noisy += [found.features() for _, through, found in bench.noises(0) if found.text and through]
    features = np.array(good + bad + noisy)
    wanted = np.array([1.0] * len(good) + [0.0] * (len(bad) + len(noisy)))
    weights = logistic(features, wanted)
    asked = len(tuned) * len(SENTENCES[::2]) * MENUS_OF_A_SENTENCE
    asked_of_noise = len(NOISES) * NOISES_OF_A_KIND * len(MENUS)
    weights[0] -= max(threshold(np.array(bad) @ weights, asked), threshold(np.array(noisy) @ weights, asked_of_noise))
    tell("WEIGHTS =", tuple(round(float(weight), 3) for weight in weights))
    tell("right answers kept:", percent(int((np.array(good) @ weights >= 0).sum()), len(good)))
    tell("sentences taken:   ", percent(int((np.array(bad) @ weights >= 0).sum()), asked))
    tell(
        "noises taken:      ",
        percent(int((np.array(noisy) @ weights >= 0).sum()), asked_of_noise),
    )


def threshold(scores: np.ndarray, asked: int) -> float:
    """The score that so many of those asked reach as may be taken wrongly."""
    return float(np.sort(scores)[::-1][min(len(scores) - 1, int(asked * _ALLOWED))])


def logistic(features: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Newton's method for logistic regression, with a little ridge."""
    weights = np.zeros(features.shape[1])
    for _ in range(50):
        share = 1.0 / (1.0 + np.exp(-features @ weights))
        slope = features.T @ (features * (share * (1.0 - share))[:, None]) + 0.01 * np.eye(weights.size)
        weights += np.linalg.solve(slope, features.T @ (wanted - share) - 0.01 * weights)
    return weights


if __name__ == "__main__":
    fit() if "--fit" in sys.argv[1:] else judge()
