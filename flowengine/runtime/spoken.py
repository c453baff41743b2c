"""temporary"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flowengine.runtime.understanding import agrees, words


def value(
    kind: str,
    text: str,
    lang: str,
    now: datetime,
    *,
    choices: tuple[str, ...] = (),
    phrases: Mapping[str, Any] | None = None,
    length: tuple[int, int] = (1, 30),
) -> Any:
    said = words(text, lang)
    if kind == "text":
        return text.strip()
    if kind in ("yesno", "bool"):
        return agrees(text, lang)
    if kind == "enum":
        return next((c for c in choices if c in said), None)
    joined = "".join(said)
    if not joined.isdigit():
        return None
    return joined if kind in ("digits", "phone") else int(joined)


def by_keys(kind: str, keys: str, lang: str, choices: tuple[str, ...] = ()) -> Any:
    if kind in ("yesno", "bool"):
        return {"1": True, "2": False}.get(keys)
    if kind == "enum":
        return choices[int(keys) - 1] if keys.isdigit() and 1 <= int(keys) <= len(choices) else None
    return int(keys) if kind == "int" and keys.isdigit() else keys


def key_count(kind: str, choices: tuple[str, ...] = ()) -> tuple[int, int]:
    return {"date": (8, 8), "time": (4, 4)}.get(kind, (1, 1) if kind in ("yesno", "bool", "enum") else (1, 30))
