from __future__ import annotations

import pytest

from flowengine import plugins
from flowengine.flow.loader import load
from flowengine.flow.picture import Everywhere, Link, Picture, picture

TEXT = """\
flow: small
version: 1
vars: {account: {type: digits}}
always: [{key: star, goto: ask}, {key: hash, do: repeat}]
nodes:
  ask:
    say: "You have {{ account | last4 | spell }} one two three four five six seven eight"
    collect: {into: account, length: 6}
    catch: {noinput: {goto: bye}}
    goto: [{if: account, goto: bye}, {goto: again}]
  bye: {hangup: }
"""


def seen() -> Picture:
    loaded = load("small.yaml", TEXT, plugins.node_types())
    assert loaded.flow is not None, loaded.diagnostics
    return picture(loaded.flow)


def test_places_show_their_role_and_first_words() -> None:
    ask, bye = seen().places
    assert (ask.kind, ask.role, ask.text) == ("collect", "asks", "You have {account} one two three four five six…")
    assert (bye.kind, bye.role, bye.text) == ("hangup", "last", "")


def test_handlers_are_links_of_their_own() -> None:
    assert seen().links == (
        Link("ask", "bye", ("if account",), handler=False),
        Link("ask", "again", ("else",), handler=False),
        Link("ask", "bye", ("noinput",), handler=True),
    )


def test_what_leads_away_from_everywhere_is_no_link() -> None:
    assert seen().everywhere == (Everywhere("ask", "", ("key *",)), Everywhere("", "repeat", ("key #",)))


WHOLE = """\
flow: whole
version: 1
vars: {account: {type: digits}, slot: map, slots: {type: list, default: []}, voice: text}
texts: {bye: {en: Goodbye., de: Auf Wiederhören.}}
tools: {find: {python: "x:y"}, book: {python: "x:z"}}
defaults: {lang: de}
nodes:
  step: {say: [{audio: a.wav, text: Ton.}, {pause: 1s}, {audio: b.wav}, {one_of: [Eins., Zwei.]}], goto: collect}
  collect: {say: {en: Which, de: Welche}, collect: {into: account}, goto: choose}
  choose: {say: Which, lang: en, collect: {into: slot, from: "{{ slots }}", show: x}, goto: tool}
  tool: {tool: {name: find, with: {}}, goto: chat}
  chat: {say: Hi., chat: {prompt: Help., tools: [find, book], exits: {done: {when: all is said, goto: live}}}}
  live: {realtime: {prompt: Help., exits: {done: {when: all is said, goto: check}}}}
  check: {about: Who it is., tags: [a, b], subflow: verify, goto: {ok: record, else: bye}}
  record: {record: {into: voice, max: 90s}, goto: {done: press, silent: wait}}
  press: {press: "w{{ account | default('0') }}#", goto: wait}
  wait: {wait: {for: 5m, options: [{key: 1, goto: hand}]}, goto: blind}
  hand: {transfer: {to: ["+15550100", "{{ env.DESK }}"]}, goto: bye}
  blind: {transfer: {to: "+15550100", mode: blind}}
  out: {return: {outcome: found, value: 1}}
  bye: {say: {t: bye, lang: en}, hangup: {reason: "done"}}
"""


@pytest.mark.parametrize(
    ("name", "kind", "role", "detail", "words"),
    [
        ("step", "step", "plain", "", "Ton. b.wav Eins."),
        ("collect", "collect", "asks", "into account", "Welche"),
        ("choose", "collect", "asks", "into slot from {slots}", "Which"),
        ("tool", "tool", "plain", "find", ""),
        ("chat", "chat", "asks", "with find, book", "Hi."),
        ("live", "realtime", "asks", "", ""),
        ("check", "subflow", "plain", "verify", ""),
        ("record", "record", "plain", "into voice, up to 90s", ""),
        ("press", "press", "plain", "w{account}#", ""),
        ("wait", "wait", "plain", "up to 5m", ""),
        ("hand", "transfer", "plain", "+15550100, {env.DESK}", ""),
        ("blind", "transfer", "last", "+15550100 (blind)", ""),
        ("out", "return", "last", "found", ""),
        ("bye", "hangup", "last", "reason: done", "Goodbye."),
    ],
)
def test_each_kind_shows_what_it_does(name: str, kind: str, role: str, detail: str, words: str) -> None:
    loaded = load("whole.yaml", WHOLE, plugins.node_types())
    assert loaded.flow is not None, loaded.diagnostics
    place = next(place for place in picture(loaded.flow).places if place.name == name)
    assert (place.kind, place.role, place.detail, place.words) == (kind, role, detail, words)


def test_a_place_knows_where_it_is_written() -> None:
    loaded = load("whole.yaml", WHOLE, plugins.node_types())
    assert loaded.flow is not None
    place = next(place for place in picture(loaded.flow).places if place.name == "check")
    assert (place.file, place.line, place.about, place.tags) == ("whole.yaml", 14, "Who it is.", ("a", "b"))
