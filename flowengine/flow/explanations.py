"""All explanations, by code."""

from __future__ import annotations

from flowengine.flow.explained_fields import FIELDS
from flowengine.flow.explained_hours import HOURS
from flowengine.flow.explained_names import NAMES
from flowengine.flow.explained_speech import SPEECH
from flowengine.flow.explained_tests import TESTS
from flowengine.flow.explained_text import TEXT
from flowengine.flow.explained_ways import WAYS
from flowengine.flow.explanation import Explanation

EXPLANATIONS: dict[str, Explanation] = {
    one.code: one
    for one in sorted(
        (*TEXT, *FIELDS, *HOURS, *NAMES, *SPEECH, *WAYS, *TESTS), key=lambda explanation: explanation.code
    )
}
