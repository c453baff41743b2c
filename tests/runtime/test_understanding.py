"""What a caller's words mean: phrases of options, keys that are named, answers, ranks."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowengine.flow.diagnostics import Span
from flowengine.flow.model import Phrase, Phrases
from flowengine.runtime.understanding import agrees, choose, inside, key_alone, rank, skips, wants_more, whole, words

PLACE = Span("f", 1, 1, 1, 2)


@dataclass(frozen=True)
class Option:
    name: str
    hear: Phrases
    keys: tuple[str, ...] = ()


def option(name: str, *heard: str, key: str = "", **by_language: list[str]) -> Option:
    said = {tag: tuple(Phrase(text, PLACE) for text in texts) for tag, texts in by_language.items()}
    if heard:
        said[""] = tuple(Phrase(text, PLACE) for text in heard)
    return Option(name, Phrases(said), (key,) if key else ())


MENU = (
    option("sales", "sales", "to buy", "the big one", key="1"),
    option("support", "support", "technical support", "help", key="2"),
    option("billing", "billing", "technical support for billing", "bill", "number two for bills", key="3"),
    option("hours", "24 7", "twenty two", "zweiundzwanzig", "opening hours", "straße", key="4"),
    option("cafe", "café", "2nd floor", "order five", key="12"),
    option("agent", "agent", "talk to someone", key="0"),
    option("again", key="*"),
    option("end", "goodbye", key="#"),
)
CHOSEN = {
    "en": {
        "sales": "sales",
        "SALES!": "sales",
        "I would like to buy something": "sales",
        "I want two buy something": None,
        "the big one": "sales",
        "the big 1": "sales",
        "wholesales": None,
        "sale's": None,
        "support": "support",
        "technical support please": "support",
        "technical support for billing": "billing",
        "help me with my bill": None,
        "sales or support": None,
        "opening-hours": "hours",
        "Opening... hours?": "hours",
        "twenty two": "hours",
        "twenty-two": "hours",
        "22": "hours",
        "twenty": None,
        "one twenty two": "hours",
        "twenty four seven": "hours",
        "24/7": "hours",
        "cafe": "cafe",
        "the CAFÉ": "cafe",
        "the second floor": "cafe",
        "2nd floor": "cafe",
        "order five": "cafe",
        "order 5": "cafe",
        "order four": None,
        "strasse": "hours",
        "two": "support",
        "2": "support",
        "Two.": "support",
        "press two": "support",
        "number two please": "support",
        "number two for bills": "billing",
        "option 2": "support",
        "uh, two": "support",
        "I'll take two": "support",
        "the number three": "billing",
        "three": "billing",
        "one": "sales",
        "won": "sales",
        "to": "support",
        "too": "support",
        "for": "hours",
        "press for": "hours",
        "oh": None,
        "press zero": "agent",
        "zero": "agent",
        "one two": "cafe",
        "twelve": "cafe",
        "press twelve": "cafe",
        "star": "again",
        "press star": "again",
        "the star key": "again",
        "hash": "end",
        "pound": "end",
        "the pound key please": "end",
        "five": None,
        "two people": None,
        "I have two questions": None,
        "the second one": None,
        "talk to someone": "agent",
        "talk two someone": None,
        "": None,
        "?!": None,
    },
    "de": {
        "die zwei": "support",
        "Taste zwei": "support",
        "zwo": "support",
        "Ich nehme die Zwei.": "support",
        "drücken eins": "sales",
        "Nummer drei bitte": "billing",
        "Stern": "again",
        "die Rautetaste": "end",
        "zweiundzwanzig": "hours",
        "zwei und zwanzig": "hours",
        "22": "hours",
        "STRASSE": "hours",
        "Straße": "hours",
        "zwölf": "cafe",
        "zwoelf": "cafe",
        "eins zwei": "cafe",
        "null": "agent",
        "Café": "cafe",
        "eine Frage": None,
        "zwei Fragen": None,
        "die zweite": None,
    },
}


@pytest.mark.parametrize(("lang", "text"), [(lang, text) for lang, table in CHOSEN.items() for text in table])
def test_which_option_is_meant(lang: str, text: str) -> None:
    found = choose(text, MENU, lang, "en")
    assert (found.name if found else None) == CHOSEN[lang][text]


def test_two_options_with_equally_many_words_are_none() -> None:
    both = (option("a", "new order"), option("b", "my order"), option("c", "order"))
    assert choose("a new order", both, "en", "en") is both[0]
    assert choose("new order for my order", both, "en", "en") is None
    assert choose("an order", both, "en", "en") is both[2]


def test_a_key_is_a_phrase_of_its_own_words() -> None:
    two, more, around = option("two", key="2"), option("more", "number two please"), option("around", "number")
    assert choose("number two", (two, around), "en", "en") is two
    assert choose("number", (two, around), "en", "en") is around
    assert choose("number two please", (two, more), "en", "en") is more
    also = option("also", "two")
    assert choose("two", (two, also), "en", "en") is None
    assert choose("two, please", (two, also), "en", "en") is None
    assert choose("press two", (two, also), "en", "en") is two


def test_the_phrases_of_the_language_in_force_count() -> None:
    menu = (option("order", en=["order"], de=["Bestellung"]), option("bye", en=["gift"], de=["Ende"]))
    assert choose("Bestellung", menu, "de-AT", "en") is menu[0]
    assert choose("gift", menu, "de", "en") is None
    assert choose("gift", menu, "fr", "en-US") is menu[1]
    assert choose("Ende", menu, "fr", "de") is menu[1]


def test_the_whole_utterance() -> None:
    menu = (option("again", "repeat", "say that again"), option("agent", "agent", "to the agent"))
    assert whole("Repeat, please.", menu, "en", "en") is menu[0]
    assert whole("uh I would like the agent", menu, "en", "en") is menu[1]
    assert whole("please repeat my order", menu, "en", "en") is None
    assert whole("", menu, "en", "en") is None
    assert whole("please", (option("please", "please"),), "en", "en") is not None
    assert whole("bitte wiederholen", (option("again", "wiederholen"),), "de", "de") is not None


def test_inside() -> None:
    assert inside(("a", "b"), ("x", "a", "b"))
    assert not inside(("a", "b"), ("a", "x", "b"))
    assert not inside((), ("a",))


@pytest.mark.parametrize(
    ("text", "lang", "wanted"),
    [
        ("Twenty-two, TO go!", "en", "22 to go"),
        ("one hundred and five", "en", "105"),
        ("the 2nd and the second", "en", "the 2nd and the 2nd"),
        ("007", "en", "007"),
        ("don’t", "en", "don't"),
        ("rock 'n' roll", "en", "rock n roll"),
        ("star five", "en", "* 5"),
        ("Über fünf Straßen", "de", "uber 5 strassen"),
        ("zweitausendfünfhundert", "de", "2500"),
        ("die 2. Wahl, die zweite Wahl", "de", "die 2. wahl die 2. wahl"),
        ("ein Euro", "de", "ein euro"),
    ],
)
def test_words(text: str, lang: str, wanted: str) -> None:
    assert " ".join(words(text, lang)) == wanted


@pytest.mark.parametrize(
    ("text", "lang", "wanted"),
    [
        ("two", "en", "2"),
        ("star nine", "en", "*9"),
        ("star 1 2", "en", "*12"),
        ("to sales", "en", ""),
        ("oh", "en", ""),
        ("oh four", "en", "04"),
        ("double two", "en", "22"),
        ("press", "en", ""),
        ("Die 2. Bitte", "de", "2"),
        ("Raute", "de", "#"),
        ("ein", "de", ""),
    ],
)
def test_keys_that_are_named(text: str, lang: str, wanted: str) -> None:
    assert key_alone(text, lang) == wanted


ANSWERS: dict[str, dict[str, bool | None]] = {
    "en": {
        "yes please": True,
        "no thanks": False,
        "that's right": True,
        "that is not right": False,
        "not yes": False,
        "nope": False,
        "uh huh": True,
        "correct": True,
        "yes": True,
        "uh uh": False,
        "no problem": True,
        "I'm not sure": None,
        "okay no": False,
        "yes no": None,
        "no that's right": None,
        "no that's not right": False,
        "turn right at the corner": None,
        "the date is wrong": False,
        "of course": True,
        "of course not": False,
        "I don't think so": False,
        "I think so": True,
        "maybe": None,
        "": None,
        "hello": None,
        "that isn't correct": False,
        "absolutely not": False,
        "yeah that's correct": True,
        "no no no": False,
        "okay": True,
        "I have no idea": None,
        "no, it's wrong": False,
        "that is correct": True,
        "don't": False,
        "not really": False,
        "yes it is": True,
        "no it isn't": False,
        "yes I do": True,
        "no I don't": False,
        "yup": True,
        "no": False,
        "sure": True,
        "sure, why not": True,
        "that's wrong": False,
        "that's correct": True,
        "you got it": None,
        "that's not correct": False,
        "yes it's right": True,
        "no sir": False,
        "yes ma'am": True,
        "go ahead": True,
        "well yes": True,
        "um no": False,
        "please don't": False,
        "I am not": False,
        "I'm not": False,
        "yes and no": None,
        "never": False,
        "why": None,
        "say that again": None,
        "I want to speak to an agent": None,
        "what": None,
        "the number is not right": False,
        "definitely": True,
        "definitely not": False,
        "not at all": False,
        "Right.": True,
        "mm-hmm": True,
        "uh-huh": True,
        "nope, that's wrong": False,
        "it is not": False,
        "yes that is the right one": True,
        "that's fine": True,
        "I guess so": None,
        "no thank you": False,
        "yes, thank you": True,
        "not correct": False,
        "ok great": True,
        "okay yes": True,
        "right away I want an agent": None,
        "the right one is five": None,
        "good morning": None,
        "sure hope so": None,
        "ok so my number is five": None,
        "yes but the date is wrong": None,
        "yes except the date": None,
        "no wait yes": None,
        "no it's five not six": False,
        "it isn't right": False,
        "that sounds right": True,
        "you're right": True,
        "I'm sure": True,
        "that's it": True,
        "fine print": None,
        "I have a question": None,
        "no one told me": None,
        "alright then": True,
        "no it is not correct": False,
        "not quite": False,
        "for sure": True,
        "heck yes": True,
        "can you repeat that": None,
        "cancel": None,
    },
    "de": {
        "ja genau": True,
        "nein danke": False,
        "das stimmt": True,
        "das stimmt nicht": False,
        "ja nein": None,
        "Nein, das ist falsch": False,
        "doch": True,
        "nicht richtig": False,
        "weiß nicht": None,
        "na klar": True,
        "jein": None,
        "kein Problem": True,
        "das ist leider nicht richtig": False,
        "ja bitte": True,
        "auf keinen Fall": False,
        "auf jeden Fall": True,
        "nee": False,
        "Das Datum ist falsch": False,
        "ja das stimmt": True,
        "nein stimmt nicht": False,
        "ja, ist richtig": True,
        "ja nicht": None,
        "ja": True,
        "nein": False,
        "ja gerne": True,
        "nö": False,
        "stimmt": True,
        "stimmt so": True,
        "stimmt so nicht": False,
        "passt nicht": False,
        "passt": True,
        "das ist richtig": True,
        "das ist nicht richtig": False,
        "jawohl": True,
        "nee danke": False,
        "okay": True,
        "in Ordnung": True,
        "ja, das ist korrekt": True,
        "nein, das ist nicht korrekt": False,
        "vielleicht": None,
        "keine Ahnung": None,
        "ich möchte einen Menschen": None,
        "selbstverständlich": True,
        "natürlich nicht": False,
        "ja doch": True,
        "doch nicht": False,
        "nicht": False,
        "auf gar keinen Fall": False,
        "gut": True,
        "nicht gut": False,
        "die Nummer ist falsch": False,
        "ich glaube nicht": False,
        "guten Morgen": None,
        "gut dass ich Sie erreiche": None,
        "ja aber das Datum ist falsch": None,
        "aber ja": True,
        "aber nein": False,
        "das ist so nicht richtig": False,
        "das ist es nicht": False,
        "das will ich nicht": False,
        "sicher nicht": False,
        "ganz sicher": True,
        "bin mir nicht sicher": None,
        "jaja": True,
        "nein warte ja": None,
        "eigentlich nicht": False,
        "ja, das ist die richtige Nummer": True,
        "können Sie das wiederholen": None,
        "ich habe eine Frage": None,
    },
}


@pytest.mark.parametrize(("lang", "text"), [(lang, text) for lang, table in ANSWERS.items() for text in table])
def test_yes_or_no(lang: str, text: str) -> None:
    assert agrees(text, lang) is ANSWERS[lang][text]


@pytest.mark.parametrize(
    ("text", "lang", "wanted"),
    [
        ("skip", "en", True),
        ("Skip it, please.", "en", True),
        ("I'd like to skip this one", "en", True),
        ("I don't have one", "en", True),
        ("I don't know", "en", True),
        ("none", "en", True),
        ("no", "en", False),
        ("skip the rope", "en", False),
        ("one two three", "en", False),
        ("please", "en", False),
        ("", "en", False),
        ("überspringen", "de", True),
        ("das möchte ich überspringen", "de", True),
        ("ueberspringen bitte", "de", True),
        ("keine Angabe", "de", True),
        ("weiß ich nicht", "de", True),
        ("habe ich nicht", "de", True),
        ("keine Pizza", "de", False),
        ("nein", "de", False),
    ],
)
def test_skipping(text: str, lang: str, wanted: bool) -> None:
    assert skips(text, lang) is wanted


@pytest.mark.parametrize(
    ("text", "lang", "wanted"),
    [
        ("more", "en", True),
        ("next", "en", True),
        ("more please", "en", True),
        ("the next page", "en", True),
        ("I'd like to hear more", "en", True),
        ("what else", "en", True),
        ("next tuesday", "en", False),
        ("more cheese", "en", False),
        ("no more", "en", False),
        ("mehr", "de", True),
        ("weiter bitte", "de", True),
        ("nächste Seite", "de", True),
        ("was gibt es noch?", "de", True),
        ("nicht mehr", "de", False),
        ("mehr Käse", "de", False),
    ],
)
def test_asking_for_more(text: str, lang: str, wanted: bool) -> None:
    assert wants_more(text, lang) is wanted


@pytest.mark.parametrize(
    ("text", "lang", "wanted"),
    [
        ("second", "en", 2),
        ("the second one", "en", 2),
        ("The 2nd.", "en", 2),
        ("I'll take the third option", "en", 3),
        ("the first one please", "en", 1),
        ("twenty first", "en", 21),
        ("the last one", "en", -1),
        ("last", "en", -1),
        ("the second to last", "en", -2),
        ("first or second", "en", None),
        ("the second street", "en", None),
        ("two", "en", None),
        ("one", "en", None),
        ("", "en", None),
        ("das zweite", "de", 2),
        ("die zweite bitte", "de", 2),
        ("Ich nehme den dritten Termin", "de", 3),
        ("der letzte", "de", -1),
        ("das letzte bitte", "de", -1),
        ("den vorletzten", "de", -2),
        ("die 2. bitte", "de", 2),
        ("einundzwanzigster", "de", 21),
        ("zwei", "de", None),
        ("die zweite Straße", "de", None),
    ],
)
def test_ranks(text: str, lang: str, wanted: int | None) -> None:
    assert rank(text, lang) == wanted


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(st.sampled_from(list(ANSWERS["en"]) + list(CHOSEN["de"])), max_size=4).map(" ".join),
    ),
    st.sampled_from(["en-US", "de", "fr"]),
)
def test_any_text_is_understood_or_not_but_never_fails(text: str, lang: str) -> None:
    choose(text, MENU, lang, "en")
    whole(text, MENU, lang, "en")
    assert agrees(text, lang) in (True, False, None)
    assert isinstance(skips(text, lang), bool)
    assert isinstance(wants_more(text, lang), bool)
    assert rank(text, lang) != 0
    again = words(" ".join(words(text, lang)), lang)
    assert words(" ".join(again), lang) == again
