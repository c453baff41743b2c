"""What is wrong with a document, as a value: where, what, why, and the way out."""

from __future__ import annotations

import bisect
import functools
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of a file. Lines and columns count from 1, in characters; the end is exclusive."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    def start(self) -> Span:
        """Give the empty span at the first character."""
        return Span(self.file, self.line, self.column, self.line, self.column)

    def contains(self, other: Span) -> bool:
        """Say whether the other span lies inside this one."""
        return (
            self.file == other.file
            and (self.line, self.column) <= (other.line, other.column)
            and (other.end_line, other.end_column) <= (self.end_line, self.end_column)
        )


class Severity(StrEnum):
    """Errors keep a flow from loading, warnings do not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Label:
    """A second place that belongs to the finding ("first defined here")."""

    span: Span
    message: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding.

    ``code`` is kebab-case and stable, ``about`` the offending word as written (or the missing one), ``message`` the
    headline, ``help`` the way out, ``fix`` the whole line at ``span.line`` as it should read, where that is certain.
    ``covered`` says that what stands at ``span`` is not for everybody who reads the findings.
    """

    code: str
    message: str
    span: Span
    severity: Severity = Severity.ERROR
    about: str = ""
    help: str = ""
    fix: str | None = None
    related: tuple[Label, ...] = ()
    covered: bool = False


@dataclass(slots=True)
class Report:
    """Collects the findings of one document and its includes; one finding a place and code."""

    diagnostics: list[Diagnostic] = field(default_factory=list)
    ignored: dict[tuple[str, int], frozenset[str]] = field(default_factory=dict)
    _known: set[tuple[str, Span, str]] = field(default_factory=set)
    _errors: list[Span] = field(default_factory=list)

    def add(self, diagnostic: Diagnostic) -> None:
        """Keep the finding unless the same one is there or its line says ``# flowengine: ignore[code]``."""
        if diagnostic.severity is Severity.WARNING and diagnostic.code in self.ignored.get(
            (diagnostic.span.file, diagnostic.span.line), frozenset()
        ):
            return
        known = (diagnostic.code, diagnostic.span, diagnostic.about)
        if known not in self._known:
            self._known.add(known)
            self.diagnostics.append(diagnostic)
            if diagnostic.severity is Severity.ERROR:
                bisect.insort(self._errors, diagnostic.span)

    def error(self, code: str, message: str, span: Span, *, about: str = "", **more: object) -> None:
        """Add an error."""
        self.add(replace(Diagnostic(code, message, span, Severity.ERROR, about), **more))  # type: ignore[arg-type]  # the fields of Diagnostic by name

    def warning(self, code: str, message: str, span: Span, *, about: str = "", **more: object) -> None:
        """Add a warning."""
        self.add(replace(Diagnostic(code, message, span, Severity.WARNING, about), **more))  # type: ignore[arg-type]  # the fields of Diagnostic by name

    @property
    def failed(self) -> bool:
        """Whether there is an error among the findings."""
        return bool(self._errors)

    def has_error_in(self, span: Span) -> bool:
        """Whether an error lies inside the span; what such an error causes elsewhere is not reported again."""
        # Every check asks this of every place: only the errors that begin inside the span are looked at.
        for at in range(bisect.bisect_left(self._errors, span.start()), len(self._errors)):
            place = self._errors[at]
            if span.contains(place):
                return True
            if (place.file, place.line, place.column) > (span.file, span.end_line, span.end_column):
                return False
        return False

    def sorted(self) -> list[Diagnostic]:
        """Give the findings in the order of the text."""
        return sorted(self.diagnostics, key=lambda d: (d.span, d.severity, d.code))


MANY = 100
"""Of so many known words each is compared with a misspelt one."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Give ``did you mean "x"?`` for the nearest known word, else an empty text."""
    import difflib  # a flow without mistakes needs it not

    listed = tuple(known)
    # Every comparison costs: among many words only those are compared that are a few letters away.
    near = difflib.get_close_matches(word, listed if len(listed) <= MANY else _few_letters_away(word, listed), 3, 0.6)
    if not near:
        return ""
    ratios = {other: difflib.SequenceMatcher(None, other, word).ratio() for other in near}
    # Of equally near ones the first: fields are listed in the order in which they are usually written.
    best = min(near, key=lambda other: (-ratios[other], listed.index(other)))
    return f'did you mean "{best}"?'


def _few_letters_away(word: str, known: tuple[str, ...]) -> list[str]:
    """Give the words that become equal to this one when each of the two loses one letter at most, in their order."""
    index = _shortened(known)
    found = {place for short in _without_one(word) for place in index.get(short, ())}
    return [known[place] for place in sorted(found)[:MANY]]


@functools.lru_cache(maxsize=8)
def _shortened(words: tuple[str, ...]) -> dict[str, list[int]]:
    index: dict[str, list[int]] = {}
    for place, word in enumerate(words):
        for short in _without_one(word):
            index.setdefault(short, []).append(place)
    return index


def _without_one(word: str) -> set[str]:
    return {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}


def one_of(words: Iterable[str]) -> str:
    """Give ``a, b or c``."""
    listed = list(words)
    if len(listed) < 2:
        return "".join(listed)
    return f"{', '.join(listed[:-1])} or {listed[-1]}"
