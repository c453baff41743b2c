"""What the form fields of all carriers have in common: they are strings, and any of them may be absent."""

from __future__ import annotations

import re
from collections.abc import Mapping

from flowengine.errors import ProtocolError
from flowengine.telephony.messages import DialOutcome

# A call in one of these states no longer carries out documents. Twilio writes "canceled", Vobiz "cancel" and "timeout"
# (https://www.twilio.com/docs/api/twiml/twilio_request, https://docs.vobiz.ai/call/make-call).
_FINAL = frozenset({"completed", "busy", "failed", "no-answer", "timeout", "canceled", "cancelled", "cancel"})

_CANCELLED = frozenset({"canceled", "cancelled", "cancel"})

_OUTCOMES: Mapping[str, DialOutcome] = {
    "completed": "ended",
    "answered": "ended",
    "busy": "busy",
    "no-answer": "noanswer",
    "timeout": "noanswer",
    "declined": "declined",
}

_BARE_NUMBER = re.compile(r"[1-9][0-9]{7,14}")


def required(fields: Mapping[str, str], name: str) -> str:
    """Return a field that a request can not do without; raises ``ProtocolError``."""
    value = fields.get(name, "").strip()
    if not value:
        raise ProtocolError(f"the request has no {name}")
    return value


def is_final(status: str) -> bool:
    """Whether a call in this state is over."""
    return status.strip().lower() in _FINAL


def dial_outcome(status: str) -> tuple[bool, DialOutcome | None]:
    """Return (the caller left during the dial, how the dial ended) for a carrier's word; unknown words are failures."""
    word = status.strip().lower()
    if not word:
        return False, None
    if word in _CANCELLED:
        return True, None
    return False, _OUTCOMES.get(word, "failed")


def e164(number: str) -> str:
    """Return an international number with its ``+``; what can not be one (short, ``anonymous``, ``sip:``) stays.

    A form body that forgot to escape the ``+`` brings a blank in its place.
    """
    number = number.strip()
    return "+" + number if _BARE_NUMBER.fullmatch(number) else number
