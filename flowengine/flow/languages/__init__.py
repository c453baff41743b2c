"""The languages in which values are written; a new one is a file here, its name in ``LANGUAGES``, and a table of tests.

A voice's words for numbers are not here: what these give is text as it would be printed.
"""

from __future__ import annotations

from collections.abc import Mapping

from flowengine.flow.languages import de, en
from flowengine.flow.languages.language import Language

LANGUAGES: Mapping[str, Language] = {module.LANGUAGE.tag: module.LANGUAGE for module in (en, de)}


def language(tag: str) -> Language:
    """Give the language of a BCP 47 tag: this tag's, else its language's, else English."""
    return LANGUAGES.get(tag) or LANGUAGES.get(tag.partition("-")[0]) or LANGUAGES["en"]
