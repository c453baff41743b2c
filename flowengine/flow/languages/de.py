"""German."""

from __future__ import annotations

from flowengine.flow.languages.language import Language


def ordinal(number: int) -> str:
    """Give ``2.``."""
    return f"{number}."


_NUMBERS = ["null", "eins", "zwei", "drei", "vier", "funf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwolf"]
LANGUAGE = Language(
    "de",
    ordinal,
    time="H:mm 'Uhr'",
    numbers={**{word: str(number) for number, word in enumerate(_NUMBERS)}, "zwo": "2", "stern": "*", "raute": "#"},
    around_keys=frozenset({"die", "taste", "ziffer", "nummer", "drucke", "bitte", "ah", "ahm"}),
    fillers=frozenset(
        {"bitte", "ah", "ahm", "also", "ich", "mochte", "will", "hatte", "gern", "gerne", "den", "die", "das"}
    ),
    yes=frozenset({"ja", "jawohl", "genau", "richtig", "stimmt", "korrekt", "jo"}),
    no=frozenset({"nein", "ne", "nee", "falsch", "nicht"}),
    skip=frozenset({"uberspringen", "weiter", "keine", "keins", "nichts"}),
)
