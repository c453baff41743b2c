"""Finds secrets that are written into a flow's file, where everybody who reads the file reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowengine.flow.kinds import Reading
from flowengine.flow.source import Mapping, Scalar, Sequence, Value

# The forms of keys that vendors hand out, and of what carries a secret by itself.
_FORMS = re.compile(
    r"""
    \bsk-[A-Za-z0-9_-]{20,}            # model vendors
    | \b(?:ghp|gho|ghs|glpat|xox[abp])[-_][A-Za-z0-9_-]{16,}
    | \bAKIA[0-9A-Z]{16}\b             # Amazon
    | \bAIza[0-9A-Za-z_-]{30,}         # Google
    | \bSK[0-9a-f]{32}\b               # Twilio
    | \beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}
    | -----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----
    | \b(?:Bearer|Basic)[ ]+[A-Za-z0-9._~+/=-]{12,}
    | ://[^/\s:@{}]+:[^/\s:@{}]+@      # a password in an address
    """,
    re.VERBOSE,
)
# Names of fields, headers and parameters whose value is a secret, whatever its form.
_NAMES = re.compile(r"(?:^|[_-])(?:authorization|api[_-]?key|apikey|access[_-]?token|auth[_-]?token|secret|password)$")


def secret_in_file(root: Value, reading: Reading) -> None:
    """Warn of every text that looks like a key, a token or a password."""
    for name, scalar in _texts(root, ""):
        found = _FORMS.search(scalar.text)
        named = _NAMES.search(name.lower()) and "{{" not in scalar.text and len(scalar.text) >= 8
        if (found or named) and isinstance(scalar.value, str):
            reading.report.warning(
                "secret-in-file",
                "this looks like a secret, and everybody who can read the file can read it",
                reading.locate(scalar.span, found[0]) if found else scalar.span,
                about=name,
                covered=True,
                help='put it into the environment: `"{{ env.API_KEY }}"`, and its name into the settings under `env`',
            )


def _texts(value: Value, name: str) -> Iterator[tuple[str, Scalar]]:
    if isinstance(value, Scalar):
        yield name, value
    elif isinstance(value, Sequence):
        for item in value.items:
            yield from _texts(item, name)
    elif isinstance(value, Mapping):
        for key, entry in value.entries.items():
            yield from _texts(entry.value, key)
