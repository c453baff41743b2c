"""German."""

from __future__ import annotations

from flowengine.flow.languages.language import Language


def ordinal(number: int) -> str:
    """Give ``2.``."""
    return f"{number}."


LANGUAGE = Language("de", ordinal, time="H:mm 'Uhr'")
