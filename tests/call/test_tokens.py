"""Tokens and signed addresses: what they carry, and that nothing of it can be changed."""

from __future__ import annotations

import base64
import json

import pytest

from flowengine.call.tokens import LIFETIME, Signer, new_id

SIGNER = Signer(b"the secret")
NOW = 1_800_000_000.0
CALL = "01J9ZZZZZZZZZZZZZZZZZZZZZZ"


def token(now: float = NOW) -> str:
    return SIGNER.stream_token(CALL, "twilio", "revision", {"name": "Ärger", "n": 3}, now)


def test_a_token_says_what_it_was_made_for() -> None:
    read = SIGNER.read_stream_token(token(), "twilio", NOW)
    assert read is not None
    assert (read.call, read.carrier, read.revision, read.args) == (
        CALL,
        "twilio",
        "revision",
        {"name": "Ärger", "n": 3},
    )
    assert read.expires == NOW + LIFETIME
    other = SIGNER.read_stream_token(token(), "twilio", NOW)
    assert other is not None
    assert other.nonce != read.nonce


@pytest.mark.parametrize(("later", "valid"), [(0.0, True), (LIFETIME - 0.1, True), (LIFETIME + 0.1, False)])
def test_a_token_lives_for_a_minute(later: float, valid: bool) -> None:
    assert (SIGNER.read_stream_token(token(), "twilio", NOW + later) is not None) == valid


def test_a_token_is_of_one_carrier_and_of_one_secret() -> None:
    assert SIGNER.read_stream_token(token(), "vobiz", NOW) is None
    assert Signer(b"another").read_stream_token(token(), "twilio", NOW) is None


def test_no_character_of_a_token_can_be_changed() -> None:
    whole = token()
    for place, character in enumerate(whole):
        changed = whole[:place] + ("A" if character != "A" else "B") + whole[place + 1 :]
        assert SIGNER.read_stream_token(changed, "twilio", NOW) is None, place


@pytest.mark.parametrize("text", ["", ".", "..", "a.b", "é.ü", "a" * 70_000, "\0", "e30."])
def test_nonsense_is_no_token_and_no_address(text: str) -> None:
    assert SIGNER.read_stream_token(text, "twilio", NOW) is None
    assert SIGNER.read_call_address(text) is None


def test_a_longer_life_can_not_be_written_into_a_token() -> None:
    body, _, mac = token().partition(".")
    payload = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    payload["e"] += 3600
    longer = base64.urlsafe_b64encode(json.dumps(payload).encode()).rstrip(b"=").decode()
    assert SIGNER.read_stream_token(f"{longer}.{mac}", "twilio", NOW) is None


def test_a_call_address_is_the_id_and_its_seal() -> None:
    address = SIGNER.call_address(CALL)
    assert address.startswith(CALL + ".")
    assert SIGNER.read_call_address(address) == CALL
    assert SIGNER.read_call_address(address[:-1]) is None
    # A seal is for one purpose: a stream's token is no address, though its form is the same.
    assert SIGNER.read_call_address(token()) is None


def test_ids_sort_by_time_and_differ_within_an_instant() -> None:
    ids = [new_id(NOW + step / 10) for step in range(50)]
    assert ids == sorted(ids)
    assert len({new_id(NOW) for _ in range(1000)}) == 1000
    assert {len(one) for one in ids} == {26}
    assert set("".join(ids)) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
    # The example of the ULID specification: this time is these ten characters.
    assert new_id(1469918176.385)[:10] == "01ARYZ6S41"
