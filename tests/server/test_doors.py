"""Who may come in and which flow a call gets, held against the settings alone."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from flowengine import plugins
from flowengine.server.doors import Doors
from flowengine.settings import CarrierSettings, FlowSettings, Route, ServerSettings, Settings
from flowengine.telephony.dialect import Verdict

TWILIO = plugins.dialects()["twilio"]
TOKEN = "the-account-token"


def doors(policy: str = "required", token: str = TOKEN, base: str = "https://voice.test/phone") -> Doors:
    settings = Settings(server=ServerSettings(public_url=base), carriers={"twilio": CarrierSettings("", token, policy)})
    return Doors(settings, plugins.dialects(), ("only",))


def signed(text: str) -> dict[str, str]:
    digest = hmac.new(TOKEN.encode(), text.encode(), hashlib.sha1).digest()
    return {"x-twilio-signature": base64.b64encode(digest).decode(), "host": "attacker.example"}


def test_the_address_that_was_signed_is_the_public_one() -> None:
    """Behind a proxy the server sees another host, scheme and path than the carrier did."""
    fields = [("b", "2"), ("a", "1")]
    right = signed("https://voice.test/phone/answer/twilio?x=1a1b2")
    wrong = signed("https://attacker.example/answer/twilio?x=1a1b2")
    target = ("/answer/twilio", "x=1")
    assert doors().webhook(TWILIO, "POST", target, right, fields, b"")
    assert not doors().webhook(TWILIO, "POST", target, wrong, fields, b"")
    assert not doors().webhook(TWILIO, "POST", ("/answer/twilio", ""), right, fields, b"")


UPGRADES = [
    ("required", TOKEN, Verdict.VALID, True),
    ("if-present", TOKEN, Verdict.VALID, False),
    # Off, or without a token, nothing is checked: an upgrade counts as unsigned, never as trusted.
    ("off", TOKEN, Verdict.MISSING, False),
    ("if-present", "", Verdict.MISSING, False),
]


@pytest.mark.parametrize(("policy", "token", "verdict", "required"), UPGRADES)
def test_upgrades(policy: str, token: str, verdict: Verdict, required: bool) -> None:
    one = doors(policy, token)
    headers = signed("wss://voice.test/phone/stream/twilio/t")
    assert one.upgrade(TWILIO, "/stream/twilio/t", "", headers) is verdict
    assert one.upgrade_required(TWILIO) == required
    assert not one.upgrade_required(plugins.dialects()["vobiz"])


CHOICES = [
    # named in the address, called number, default in the settings, flows there are, the choice
    ("named", "+1", "default", ("a", "b"), "named"),
    ("", "+15551234567", "default", ("a", "b"), "routed"),
    ("", "+1", "default", ("a", "b"), "default"),
    ("", "+1", "", ("a",), "a"),
    ("", "+1", "", ("a", "b"), ""),
    ("", "anonymous", "", (), ""),
]


@pytest.mark.parametrize(("named", "called", "default", "flows", "choice"), CHOICES)
def test_which_flow_a_call_gets(named: str, called: str, default: str, flows: tuple[str, ...], choice: str) -> None:
    settings = Settings(flows=FlowSettings("flows", default, (Route("+15551234567", "routed"),)))
    assert Doors(settings, plugins.dialects(), flows).flow_for(called, named) == choice
