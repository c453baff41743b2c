"""English."""

from __future__ import annotations

import re
from collections.abc import Sequence

from flowengine.flow.languages.language import Language
from flowengine.flow.languages.spoken import Spoken, listed, phrases, plain_int

_IRREGULAR = {"child": "children", "person": "people", "man": "men", "woman": "women", "foot": "feet", "half": "halves"}


def ordinal(number: int) -> str:
    """Give ``1st``, ``2nd``, ``11th``."""
    last = abs(number) % 100
    ending = "th" if 10 <= last <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(last % 10, "th")
    return f"{number}{ending}"


def plural(word: str) -> str:
    """Give the plural of a word by the rules of English spelling and a few exceptions."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if re.search(r"[^aeiouAEIOU\W]y\Z", word):
        return f"{word[:-1]}ies"
    return f"{word}es" if re.search(r"(s|x|z|ch|sh)\Z", word) else f"{word}s"


_SMALL = {
    word: value
    for value, word in enumerate(
        listed(
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
            " seventeen eighteen nineteen"
        )
    )
}
_NOUGHTS = {"nought": 0, "naught": 0, "nil": 0}
_TENS = {
    word: value
    for value, word in zip(
        range(20, 100, 10), listed("twenty thirty forty fifty sixty seventy eighty ninety"), strict=True
    )
} | {"fourty": 40}
_RANKS = {
    word: value
    for value, word in enumerate(
        listed(
            "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth"
            " fifteenth sixteenth seventeenth eighteenth nineteenth"
        ),
        1,
    )
}
_ROUND_RANKS = {
    word: value
    for value, word in zip(
        range(20, 100, 10),
        listed("twentieth thirtieth fortieth fiftieth sixtieth seventieth eightieth ninetieth"),
        strict=True,
    )
}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
_WRITTEN_RANK = re.compile(r"([0-9]{1,3})(?:st|nd|rd|th)")


def _below_hundred(words: Sequence[str], at: int) -> tuple[int, int] | None:
    if at >= len(words):
        return None
    word = words[at]
    if word in _TENS:
        one = _SMALL.get(words[at + 1], 0) if at + 1 < len(words) else 0
        return (_TENS[word] + one, at + 2) if 0 < one < 10 else (_TENS[word], at + 1)
    value = _SMALL.get(word, _NOUGHTS.get(word))
    if value is None:
        value = plain_int(word)
    return None if value is None else (value, at + 1)


def _after_and(words: Sequence[str], at: int) -> int:
    """Give the place after an *and* that a number goes on with."""
    return at + 1 if at < len(words) and words[at] == "and" else at


def _below_thousand(words: Sequence[str], at: int) -> tuple[int, int] | None:
    if words[at] in ("a", "an") and words[at + 1 : at + 2] and words[at + 1] in ("hundred", *_SCALES):
        found: tuple[int, int] | None = (1, at + 1)
    else:
        found = _below_hundred(words, at)
    if found is None:
        return None
    value, after = found
    if after >= len(words) or words[after] != "hundred" or not 0 < value < 100:
        return found
    value, after = value * 100, after + 1
    rest = _below_hundred(words, _after_and(words, after))
    return (value + rest[0], rest[1]) if rest and 0 < rest[0] < 100 else (value, after)


def number(words: Sequence[str], at: int) -> tuple[int, int] | None:
    """Read a whole number: ``twenty two``, ``a hundred and five``, ``twelve hundred``, ``2 million``."""
    found = _below_thousand(words, at)
    if found is None:
        return None
    total, (value, at), least = 0, found, 10**12
    while at < len(words) and (scale := _SCALES.get(words[at], 0)) and scale < least and value:
        total, value, least, at = total + value * scale, 0, scale, at + 1
        place = _after_and(words, at)
        rest = _below_thousand(words, place) if place < len(words) else None
        if rest is None or not 0 < rest[0] < scale:
            break
        value, at = rest
    return total + value, at


def rank(words: Sequence[str], at: int) -> tuple[int, int] | None:
    """Read a rank: ``second``, ``twenty first``, ``31st``."""
    word = words[at]
    written = _WRITTEN_RANK.fullmatch(word)
    if written:
        return int(written[1]), at + 1
    if word in _TENS and at + 1 < len(words) and _RANKS.get(words[at + 1], 10) < 10:
        return _TENS[word] + _RANKS[words[at + 1]], at + 2
    value = _RANKS.get(word) or _ROUND_RANKS.get(word)
    return (value, at + 1) if value else None


def _respell(text: str) -> str:
    """Write the two halves of the day in one way, and nine o'clock."""
    text = re.sub(r"(?<![^\W\d_])([ap])(?:\. ?| )?m\b\.?(?!')", r"\1m", text)
    return re.sub(r"\bo ?'? ?clock\b", "oclock", text)


_SPOKEN = Spoken(
    number=number,
    ordinal=rank,
    articles=phrases("a, an"),
    homophones={"to": "2", "too": "2", "for": "4", "ate": "8", "won": "1", "oh": "0", "o": "0"},
    sighs=phrases("oh, o"),
    repeats={"double": 2, "triple": 3, "treble": 3},
    minus=phrases("minus, negative, -"),
    plus=phrases("plus, +"),
    point=phrases("point, dot"),
    joints=phrases("and"),
    fractions={"a half": 50, "half": 50, "a quarter": 25, "one half": 50, "one quarter": 25, "three quarters": 75},
    around=phrases(
        "i'd, just, like, us, area, my, the, is, it, it's, its, that's, that, this, number, code, pin, account, "
        "id, zip, phone, please, uh, um, er, hm, well, so, okay, ok, yes, yeah, sure, i, i'm, said, say, then, "
        "and, be, would, thanks, thank, you, hi, hello"
    ),
    around_dates=phrases(
        "can, could, we, do, on, of, the, day, a, date, birth, birthday, was, born, how, about, works, work, for, "
        "me, good, fine, let's, like, i'd"
    ),
    around_times=phrases(
        "can, could, we, do, say, at, around, about, in, the, a, for, how, works, work, me, good, fine, let's, "
        "like, i'd, on"
    ),
    money=phrases("dollar, dollars, buck, bucks, euro, euros, pound, pounds, quid, franc, francs, yen"),
    cents=phrases("cent, cents, penny, pennies, pence, p"),
    months={"sept": 9},
    days={
        "today": 0,
        "tonight": 0,
        "tomorrow": 1,
        "day after tomorrow": 2,
        "yesterday": -1,
        "day before yesterday": -2,
        "a week from today": 7,
        "a week from tomorrow": 8,
    },
    spans={"day": 1, "days": 1, "week": 7, "weeks": 7, "fortnight": 14},
    within=phrases("in"),
    hence=phrases("from now, from today, later"),
    coming=phrases("next, this, coming, upcoming"),
    clock=phrases("oclock, hours"),
    past=phrases("past, after"),
    to=phrases("to, before, of, till, til, until"),
    minutes={"quarter": 15, "a quarter": 15, "half": 30, "oh clock": 0},
    units=phrases("minute, minutes"),
    halves={"half": 30},
    hours={"noon": 12, "midday": 12, "midnight": 0},
    parts={
        "am": 0,
        "in the morning": 0,
        "this morning": 0,
        "tomorrow morning": 0,
        "morning": 0,
        "pm": 12,
        "in the afternoon": 12,
        "afternoon": 12,
        "in the evening": 13,
        "this evening": 13,
        "evening": 13,
        "tonight": 18,
        "at night": 18,
        "at noon": 7,
        "noon": 7,
        "midnight": 18,
        "night": 18,
        "sharp": 7,
    },
    last={
        "last": -1,
        "final": -1,
        "second to last": -2,
        "second last": -2,
        "next to last": -2,
        "last but one": -2,
    },
    things=phrases(
        "one, option, entry, choice, the, number, take, i'll, that, i'd, prefer, it's, item, appointment, slot"
    ),
    neither=phrases(
        "but, except, no one, nobody, not sure, not certain, don't know, dont know, do not know, no idea, maybe, "
        "perhaps, yes and no, don't understand, do not understand, what"
    ),
    firm=phrases("yes, yeah, yep, yup, yea, absolutely, definitely, certainly, of course, exactly, uh huh"),
    negations=phrases(
        "not, isn't, isnt, don't, dont, wasn't, aren't, didn't, doesn't, never, cannot, can't, wouldn't, won't"
    ),
    around_answers=phrases(
        "then, sounds, looks, seems, you're, heck, hell, for, to, me, think, guess, totally, that, that's, is, "
        "it, it's, this, please, thanks, thank, you, quite, all, very, much, so, really, i, i'm, am, do, did, "
        "does, was, are, would, be, the, one, sir, madam, ma'am, oh, actually, yet, at, now, sorry, have, got, we"
    ),
)
LANGUAGE = Language(
    "en",
    ordinal,
    plural,
    signs={"star": "*", "asterisk": "*", "hash": "#", "pound": "#"},
    around_keys=phrases(
        "press, pressed, pressing, key, button, number, the, option, choice, please, uh, um, er, it's, i'll, "
        "take, choose, say, dial, enter, hit, sign, digit"
    ),
    fillers=phrases("please, uh, um, er, well, i, i'd, want, would, like, to, the, a, an, just, ok, okay, so, hm, oh"),
    backchannels=phrases(
        "mhm, mm, mmm, mm hmm, mm hm, hmm, hm, uh huh, uh, um, uhm, er, erm, ah, aha, oh, "
        "ok, okay, yeah, yep, right, all right, alright, sure, fine, i see, got it, please, thanks, thank you"
    ),
    unfinished=phrases(
        "uh, um, uhm, er, erm, hm, hmm, and, or, but, because, if, to, of, for, from, with, at, about, than, the, "
        "a, an, my, your, his, her, our, their, i, i'd, i'm, we, it's, would, like, let's, maybe, "
        "i want, i need, can you, could you, my name is"
    ),
    abbreviations=phrases("dr, mr, mrs, ms, prof, st, vs, e.g, i.e, approx, dept, a.m, p.m"),
    yes=phrases(
        "great, totally, for sure, that's it, that is it, looks good, that'll do, yes, yeah, yep, yup, yea, aye, "
        "right, correct, sure, ok, okay, exactly, uh huh, mm hmm, mhm, absolutely, certainly, definitely, "
        "of course, affirmative, indeed, sounds good, go ahead, fine, alright, true, no problem, i think so, "
        "please do, perfect, agreed, good, you bet, why not, no worries, it is, i do, i am"
    ),
    no=phrases(
        "no, nope, nah, wrong, incorrect, not, uh uh, negative, no way, of course not, absolutely not, "
        "certainly not, definitely not, i don't think so, i do not think so, never, not really, not at all, "
        "don't, do not, false, isn't, it isn't, i'd rather not, not now, i do not, it is not, i am not"
    ),
    skip=phrases(
        "skip, skip it, none, nothing, pass, no thanks, rather not, i'd rather not, don't know, i don't know, "
        "don't have one, i don't have one, i do not have one, i don't have it, next question, not applicable, "
        "leave it out, leave it blank, move on, skip this one, skip that one, skip this, skip that, go on, "
        "i do not know, haven't got one"
    ),
    more=phrases(
        "more, next, next page, next ones, more options, more choices, show me more, what else, anything else, "
        "others, other options, go on, continue, keep going, further, next one, the rest, more please, "
        "tell me more, hear more, give me more, none of these, none of those, something else, i'd like more"
    ),
    respell=_respell,
    spoken=_SPOKEN,
)
