"""What a call has cost, by list prices: an estimate for comparing flows, never a bill.

The prices are the vendors' public lists as they were known on 26 November 2026, in US dollars; the settings may
override each of them (`prices`). What has no price has no cost here either: the record's `cost` is null then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flowengine.call.ports import Usage

_MILLION = 1e6


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars for a million tokens (read, read from a cache, written), a million characters, and a minute of audio."""

    input: float = 0.0
    cached: float = 0.0
    output: float = 0.0
    characters: float = 0.0
    minute: float = 0.0


PRICES: Mapping[str, Price] = {
    "anthropic/claude-haiku-5-5": Price(input=0.10, cached=0.01, output=0.50),
    "anthropic/claude-sonnet-5-5": Price(input=2.0, cached=0.20, output=10.0),
    # Of its default model, where the record does not say which it was.
    "deepgram": Price(minute=0.0065),
    "deepgram/flux-general-en": Price(minute=0.0065),
    "deepgram/flux-general-multi": Price(minute=0.0078),
    "deepgram/nova-3": Price(minute=0.0048),
    "cartesia": Price(characters=38.0),
    "elevenlabs": Price(characters=50.0),
    "openai/gpt-4.1": Price(input=2.0, cached=0.5, output=8.0),
    "openai/gpt-4.1-mini": Price(input=0.40, cached=0.10, output=1.60),
    "openai/gpt-4.1-nano": Price(input=0.10, cached=0.025, output=0.40),
    # It is paid by tokens of audio, which come to $0.015 a minute: some 900 characters.
    "openai_speech": Price(characters=16.7),
    # On the user's own machine.
    "local": Price(),
    "sphinx": Price(),
    "vosk": Price(),
    "whisper": Price(),
}
"""By the provider's name, with its model where that matters."""


def cost(used: Iterable[Usage], prices: Mapping[str, Price] = PRICES) -> float | None:
    """Give the dollars of what was used; None where something of it has no price."""
    total = 0.0
    for one in used:
        price = prices.get(f"{one.provider}/{one.model}", prices.get(one.provider))
        if price is None:
            if one.input_tokens or one.output_tokens or one.characters or one.seconds:
                return None
            continue  # it failed, or was never asked
        fresh = max(0, one.input_tokens - one.cached_tokens)
        total += (fresh * price.input + one.cached_tokens * price.cached + one.output_tokens * price.output) / _MILLION
        total += one.characters * price.characters / _MILLION + one.seconds / 60 * price.minute
    return round(total, 6)


def summed(used: Iterable[Usage]) -> list[Usage]:
    """Add up what was used of each provider's model."""
    found: dict[tuple[str, str], Usage] = {}
    for one in used:
        total = found.setdefault((one.provider, one.model), Usage(one.provider, one.model, estimated=False))
        total.input_tokens += one.input_tokens
        total.cached_tokens += one.cached_tokens
        total.output_tokens += one.output_tokens
        total.characters += one.characters
        total.seconds = round(total.seconds + one.seconds, 3)
        total.failed += one.failed
        total.estimated = total.estimated or one.estimated
    return list(found.values())
