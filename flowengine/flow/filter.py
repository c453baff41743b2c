"""What a filter and a test of expressions are: functions, described for authors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Example(NamedTuple):
    """A template with the values that it reads, and its text in a language."""

    source: str
    values: Mapping[str, Any]
    lang: str
    result: str


@dataclass(frozen=True)
class Filter:
    """A filter: ``function(format, value, *arguments)``, one sentence for authors, and examples that a test runs.

    ``least`` and ``most`` are the numbers of arguments, ``lenient`` says that it takes null and what is missing;
    arguments that are written out are held against the pattern ``texts`` (empty: they need not be texts), and
    ``remedy`` is said where they do not fit.
    """

    name: str
    function: Callable[..., Any]
    about: str
    examples: tuple[Example, ...]
    lenient: bool = False
    texts: str = ""
    remedy: str = "write it in quotes"
    least: int = field(init=False)
    most: int = field(init=False)

    def __post_init__(self) -> None:
        """Count the arguments that the function takes beyond format and value."""
        code = self.function.__code__
        object.__setattr__(self, "most", code.co_argcount - 2)
        object.__setattr__(self, "least", code.co_argcount - 2 - len(self.function.__defaults__ or ()))


@dataclass(frozen=True)
class Test:
    """A test (``x is NAME``): its function of the value, one sentence for authors, and examples."""

    name: str
    function: Callable[[Any], bool]
    about: str
    examples: tuple[Example, ...]
    lenient: bool = False
