"""Whether an answer sounds finished: tables of what callers say, by what the node waits for."""

from __future__ import annotations

import pytest

from flowengine.runtime.effects import Listen
from flowengine.runtime.expecting import COMPLETE, LIKELY, MIDDLE, OPEN, PLAIN, patience

MENU = ("sales", "sales support", "opening hours", "1", "2")

TABLE = [
    # what is waited for, what was said, how long to wait
    (Listen("en-US", "digits", least=6, most=6), "four two seven nine one one", COMPLETE),
    (Listen("en-US", "digits", least=6, most=6), "427911", COMPLETE),
    (Listen("en-US", "digits", least=6, most=6), "four two seven", OPEN),
    (Listen("en-US", "digits", least=6, most=6), "it is four two", OPEN),
    (Listen("en-US", "digits", least=4, most=8), "four two seven nine", OPEN),
    (Listen("en-US", "digits"), "four two seven nine", MIDDLE),
    (Listen("en-US", "digits", least=6, most=6), "I do not have it here", MIDDLE),
    (Listen("en-US", "digits", least=6, most=6), "skip", LIKELY),
    (Listen("en-US", "phone"), "five five five", OPEN),
    (Listen("en-US", "phone"), "five five five one two three four", MIDDLE),
    (Listen("en-US", "yesno"), "yes", LIKELY),
    (Listen("en-US", "yesno"), "no, that is wrong", LIKELY),
    (Listen("en-US", "yesno"), "it depends", MIDDLE),
    (Listen("en-US", "yesno"), "yes, but", OPEN),
    (Listen("en-US", "choice", MENU), "opening hours", LIKELY),
    (Listen("en-US", "choice", MENU), "I want the opening hours", LIKELY),
    (Listen("en-US", "choice", MENU), "sales", PLAIN),  # support may follow
    (Listen("en-US", "choice", MENU), "sales support", LIKELY),
    (Listen("en-US", "choice", MENU), "two", LIKELY),
    (Listen("en-US", "choice", MENU), "something else", MIDDLE),
    (Listen("en-US", "choice", MENU), "the opening hours on Sunday", PLAIN),
    (Listen("en-US", "choice", MENU), "my new kitchen", MIDDLE),  # what comes now is what it is about
    (Listen("en-US", "choice", MENU), "I would like to", OPEN),
    (Listen("en-US", "choice", MENU), "well, I need", OPEN),
    (Listen("en-US", "yesno"), "yes it is", LIKELY),
    (Listen("en-US", "date"), "next tuesday", LIKELY),
    (Listen("en-US", "date"), "the fifth of", OPEN),
    (Listen("en-US", "time"), "half past nine", LIKELY),
    (Listen("en-US", "money"), "twelve fifty", LIKELY),
    (Listen("en-US", "int"), "around", MIDDLE),
    (Listen("en-US", "text"), "I lost my card", PLAIN),
    (Listen("en-US", "text"), "I would like to, uhm", OPEN),
    (Listen("en-US", "text"), "my name is,", OPEN),
    (Listen("en-US", "text"), "s m i t", OPEN),
    (Listen("en-US", "text"), "vitamin b", PLAIN),
    (Listen("en-US", "text"), "", PLAIN),
    (Listen("de-DE", "digits", least=4, most=4), "vier zwei sieben neun", COMPLETE),
    (Listen("de-DE", "digits", least=4, most=4), "vier zwei", OPEN),
    (Listen("de-DE", "yesno"), "ja genau", LIKELY),
    (Listen("de-DE", "text"), "ich möchte", OPEN),
    (Listen("de-DE", "text"), "das ist für", OPEN),
    (Listen("de-DE", "text"), "ich habe meine Karte verloren", PLAIN),
    (Listen("de-DE", "choice", ("Öffnungszeiten",)), "die Öffnungszeiten", LIKELY),
]


@pytest.mark.parametrize(
    ("listen", "text", "factor"), TABLE, ids=lambda one: one.kind if isinstance(one, Listen) else str(one)
)
def test_how_long_to_wait(listen: Listen, text: str, factor: float) -> None:
    assert patience(listen, text) == factor


def test_what_is_more_likely_to_go_on_is_waited_for_longer() -> None:
    assert COMPLETE < LIKELY < PLAIN < MIDDLE < OPEN
