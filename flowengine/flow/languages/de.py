"""German."""

from __future__ import annotations

import re
from collections.abc import Sequence

from flowengine.flow.languages.language import Language
from flowengine.flow.languages.spoken import Spoken, listed, phrases, plain_int


def ordinal(number: int) -> str:
    """Give ``2.``."""
    return f"{number}."


_SMALL = {
    word: value
    for value, word in enumerate(
        listed(
            "null eins zwei drei vier funf sechs sieben acht neun zehn elf zwolf dreizehn vierzehn funfzehn sechzehn"
            " siebzehn achtzehn neunzehn"
        )
    )
}
_OTHERS = {"zwo": 2, "fuffzehn": 15}
# What an einundzwanzig begins with; alone it is an article.
_JOINED = {**_SMALL, **_OTHERS, "ein": 1}
_TENS = {
    word: value
    for value, word in zip(
        range(20, 100, 10),
        listed("zwanzig dreissig vierzig funfzig sechzig siebzig achtzig neunzig"),
        strict=True,
    )
} | {"fuffzig": 50}
_WORDS = {**_SMALL, **_OTHERS, **_TENS}
_MILLIONS = {"million": 10**6, "millionen": 10**6, "milliarde": 10**9, "milliarden": 10**9}
# The longest word for a number below a million has 65 letters.
_LONGEST = 70
_ENDINGS = ("e", "en", "er", "es", "em")


def _ranks() -> dict[str, int]:
    stems = {"erst": 1, "dritt": 3, "siebt": 7, "siebent": 7, "acht": 8}
    stems |= {f"{word}t": value for word, value in {**_SMALL, **_OTHERS}.items() if value not in (0, 1, 3, 7, 8)}
    stems |= {f"{word}st": value for word, value in _TENS.items()}
    stems |= {
        f"{one}und{ten}st": value + _JOINED[one]
        for one in ("ein", "zwei", "zwo", "drei", "vier", "funf", "sechs", "sieben", "acht", "neun")
        for ten, value in _TENS.items()
    }
    return {f"{stem}{ending}": value for stem, value in stems.items() for ending in _ENDINGS}


_RANKS = _ranks()
_WRITTEN_RANK = re.compile(r"([0-9]{1,3})\.")


def compound(word: str) -> int | None:
    """Give the number that is one word: ``zweiundzwanzig``, ``zweitausendfünfhundert``, folded."""
    if len(word) > _LONGEST:
        return None
    for scale, size in (("tausend", 1000), ("hundert", 100)):
        if scale in word:
            before, _, after = word.partition(scale)
            many = 1 if before in ("", "ein") else compound(before)
            rest = compound(after.removeprefix("und")) if after else 0
            most = 1000 if size == 1000 else 20
            if many is None or rest is None or not 0 < many < most or (after and not 0 < rest < size):
                return None
            return many * size + rest
    if word in _WORDS:
        return _WORDS[word]
    one, joint, ten = word.partition("und")
    if joint and ten in _TENS and 0 < _JOINED.get(one, 0) < 10:
        return _JOINED[one] + _TENS[ten]
    return None


def _part(words: Sequence[str], at: int) -> tuple[int, int] | None:
    """Read one word, or what a transcriber cut into several: ``zwei und zwanzig``, ``zwei hundert``."""
    if at >= len(words):
        return None
    word = words[at]
    value = compound(word)
    if value is None:
        value = plain_int(word)
    follows = words[at + 1] if at + 1 < len(words) else ""
    one = value if value is not None else 1 if word in ("ein", "eine") else 0
    if 0 < one < 10 and follows == "und" and at + 2 < len(words) and words[at + 2] in _TENS:
        return one + _TENS[words[at + 2]], at + 3
    if follows.startswith(("hundert", "tausend")) and 0 < one < 1000:
        scaled, size = compound(follows), 100 if follows.startswith("hundert") else 1000
        if scaled is not None and (size == 1000 or one < 20):
            return one * size + scaled - size, at + 2
    if follows in _MILLIONS and 0 < one < 1000:
        return one * _MILLIONS[follows], at + 2
    return None if value is None else (value, at + 1)


def number(words: Sequence[str], at: int) -> tuple[int, int] | None:
    """Read a whole number, in one word or in several: ``eine Million zweihundert tausend``."""
    found = _part(words, at)
    if found is None:
        return None
    total, at = found
    size = _least_scale(total)
    while size > 1:
        place = at + 1 if at < len(words) and words[at] == "und" else at
        rest = _part(words, place)
        # Digits that a transcriber wrote stand for themselves.
        if rest is None or not 0 < rest[0] < size or words[place][0].isdigit() != words[at - 1][0].isdigit():
            break
        total, at, size = total + rest[0], rest[1], _least_scale(rest[0])
    return total, at


def _least_scale(value: int) -> int:
    """Give what a number ends with that more may follow: a million, a thousand, a hundred; 1 where nothing may."""
    return next((size for size in (10**9, 10**6, 1000, 100) if value and value % size == 0), 1)


def rank(words: Sequence[str], at: int) -> tuple[int, int] | None:
    """Read a rank: ``zweite``, ``einundzwanzigsten``, ``5.``."""
    written = _WRITTEN_RANK.fullmatch(words[at])
    if written:
        return int(written[1]), at + 1
    value = _RANKS.get(words[at])
    if value is None and words[at + 1 : at + 2] == ["und"] and at + 2 < len(words):
        value = _RANKS.get(f"{words[at]}und{words[at + 2]}")
        return (value, at + 3) if value else None
    return (value, at + 1) if value else None


def _respell(text: str) -> str:
    """Write ``fuenf`` as ``funf``, as accents are left out of ``fünf``; in ``neue`` and ``quer`` the e is its own."""
    return re.sub(r"(?<![aeiouq])([aou])e+", r"\1", text)


_SPOKEN = Spoken(
    number=number,
    ordinal=rank,
    dotted=True,
    articles=phrases("ein, eine, einen, einem, einer"),
    homophones={"ein": "1", "fier": "4", "o": "0", "oh": "0"},
    sighs=phrases("ein, o, oh"),
    repeats={"doppel": 2, "doppelt": 2, "doppelte": 2, "dreifach": 3, "dreifache": 3, "zweimal": 2, "dreimal": 3},
    minus=phrases("minus, -"),
    plus=phrases("plus, +"),
    point=phrases("komma, punkt"),
    joints=phrases("und"),
    fractions={
        "anderthalb": 150,
        "einhalb": 50,
        "ein halb": 50,
        "ein halbes": 50,
        "einviertel": 25,
        "ein viertel": 25,
        "dreiviertel": 75,
    },
    around=phrases(
        "nur, meine, mein, die, der, das, ist, es, nummer, code, pin, konto, kontonummer, kundennummer, "
        "telefonnummer, postleitzahl, lautet, bitte, ah, ahm, also, ja, gut, okay, ok, ich, sage, dann, und, "
        "ware, waren, danke, sind, so, hallo, geheimzahl, vorwahl, rufnummer, handynummer"
    ),
    around_dates=phrases(
        "gleich, geht, wie, mit, mir, gut, passt, mochte, gerne, gern, geburtstag, geburtsdatum, geboren, bin, "
        "datum, am, an, den, dem, der, vom, zum, des, tag, fur"
    ),
    around_times=phrases(
        "wie, mit, mir, gut, passt, mochte, gerne, gern, um, gegen, ab, zirka, circa, ungefahr, etwa, so, am, "
        "fur, punkt"
    ),
    money=phrases("euro, euros, dollar, franken, pfund, yen"),
    cents=phrases("cent, cents, rappen"),
    months={"janner": 1, "feber": 2, "juno": 6, "julei": 7},
    weekdays={"sonnabend": 5},
    days={
        "heute": 0,
        "heute abend": 0,
        "heute morgen": 0,
        "morgen": 1,
        "ubermorgen": 2,
        "gestern": -1,
        "vorgestern": -2,
        "heute in einer woche": 7,
        "morgen in einer woche": 8,
    },
    spans={"tag": 1, "tage": 1, "tagen": 1, "woche": 7, "wochen": 7},
    within=phrases("in"),
    hence=phrases("spater, ab heute"),
    coming=phrases(
        "nachster, nachsten, nachste, kommenden, kommender, kommende, diesen, dieser, diese, folgenden, den, am"
    ),
    clock=phrases("uhr"),
    past=phrases("nach"),
    to=phrases("vor"),
    minutes={"viertel": 15},
    units=phrases("minute, minuten"),
    halves={"halb": -30, "viertel": -45, "dreiviertel": -15, "drei viertel": -15},
    hours={"mittag": 12, "mitternacht": 0},
    parts={
        "morgens": 0,
        "am morgen": 0,
        "in der fruh": 0,
        "fruh": 0,
        "vormittags": 0,
        "am vormittag": 0,
        "mittags": 7,
        "nachmittags": 12,
        "am nachmittag": 12,
        "abends": 13,
        "am abend": 13,
        "abend": 13,
        "vormittag": 0,
        "nachmittag": 12,
        "heute abend": 13,
        "nachts": 18,
        "in der nacht": 18,
        "in der fruhe": 0,
    },
    last={f"{word}{ending}": value for word, value in (("letzt", -1), ("vorletzt", -2)) for ending in _ENDINGS},
    things=phrases(
        "der, die, das, den, dem, eintrag, option, auswahl, nummer, termin, ich, nehme, bitte, wahle, mochte, punkt, am"
    ),
    neither=phrases(
        "aber, ausser, bis auf, niemand, weiss nicht, weiss ich nicht, nicht sicher, keine ahnung, vielleicht, "
        "mal sehen, jein, nicht verstanden, was, verstehe nicht, verstehe ich nicht, verstehe das nicht"
    ),
    turned_behind=phrases("stimmt, passt"),
    firm=phrases("ja, ja ja, jawohl, jo, jep, jupp, jap, genau, klar, na klar, selbstverstandlich, auf jeden fall"),
    negations=phrases("nicht, kein, keine, keinen, nie, niemals"),
    around_answers=phrases(
        "eigentlich, hort, sich, an, will, mochte, das, ist, es, so, bitte, danke, schon, ganz, doch, mal, aber, "
        "auch, ich, bin, sehr, gerne, gern, vollig, leider, dann, mir, fur, mich, sie, die, der, den, war, ach, "
        "okay, ok, eben, sicher, wir, haben, habe, hier, da"
    ),
)
LANGUAGE = Language(
    "de",
    ordinal,
    time="H:mm 'Uhr'",
    signs={"stern": "*", "sternchen": "*", "sterntaste": "*", "raute": "#", "rautetaste": "#"},
    around_keys=phrases(
        "die, der, das, taste, ziffer, nummer, option, knopf, drucke, drucken, gedruckt, wahle, nehme, ich, "
        "bitte, ah, ahm, zahl, dann, mal, zeichen"
    ),
    fillers=phrases(
        "bitte, ah, ahm, also, ich, mochte, will, wurde, hatte, gern, gerne, den, die, das, der, ein, eine, mal, "
        "so, okay, ok, nun, hm, zu, zum, zur"
    ),
    backchannels=phrases(
        "mhm, mm, mmm, hm, hmm, ah, ahm, aha, oh, ach, ach so, soso, eh, ehm, "
        "ok, okay, ja, jaja, genau, richtig, gut, alles klar, verstehe, bitte, danke, danke schon"
    ),
    unfinished=phrases(
        "ah, ahm, ehm, eh, hm, hmm, und, oder, aber, weil, wenn, dass, ob, zum, zur, von, vom, fur, mit, in, im, bei, "
        "beim, uber, als, der, die, den, dem, des, ein, eine, einen, einem, einer, mein, meine, meinen, meiner, ihre, "
        "ich, mochte, wurde, hatte, ich will, ich brauche, konnen sie, kannst du, mein name ist"
    ),
    abbreviations=phrases("dr, hr, fr, prof, str, nr, z.b, d.h, u.a, bzw, ca, evtl, inkl, tel, st"),
    yes=phrases(
        "super, prima, aber ja, aber sicher, aber gerne, aber gern, aber naturlich, jaja, das ist es, ja, jawohl, "
        "genau, richtig, stimmt, korrekt, jo, jep, jupp, jap, ja ja, klar, na klar, sicher, gerne, gern, okay, "
        "ok, einverstanden, doch, passt, in ordnung, naturlich, selbstverstandlich, auf jeden fall, so ist es, "
        "freilich, mhm, aha, kein problem, unbedingt, perfekt, gut, alles klar, warum nicht, ich denke schon, "
        "bitte ja"
    ),
    no=phrases(
        "das ist es nicht, aber nein, sicher nicht, nein, ne, nee, no, falsch, nicht, nix, keinesfalls, "
        "auf keinen fall, nie, niemals, keineswegs, uberhaupt nicht, lieber nicht, doch nicht, "
        "auf gar keinen fall, inkorrekt, unrichtig, eher nicht, gar nicht, na na, ich denke nicht, "
        "naturlich nicht"
    ),
    skip=phrases(
        "uberspringen, uberspringe, uberspring, weiter, keine, keins, keinen, nichts, keine angabe, lieber nicht, "
        "nein danke, weiss nicht, weiss ich nicht, ich weiss nicht, ich weiss es nicht, habe ich nicht, "
        "hab ich nicht, habe keine, habe keinen, habe keins, nachste frage, auslassen, lass aus, weglassen, "
        "entfallt"
    ),
    more=phrases(
        "mehr, weiter, weitere, noch mehr, nachste, nachsten, nachste seite, was noch, andere, noch andere, "
        "weitere optionen, mehr optionen, die anderen, noch welche, weiterblattern, fortfahren, die restlichen, "
        "weitere termine, andere termine, noch weitere, sonst noch, keine davon, keiner davon, keins davon, "
        "was gibt es noch, mehr horen"
    ),
    respell=_respell,
    spoken=_SPOKEN,
)
