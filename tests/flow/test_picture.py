from __future__ import annotations

from flowengine import plugins
from flowengine.flow.loader import load
from flowengine.flow.picture import Link, Picture, picture

TEXT = """\
flow: small
version: 1
vars: {account: {type: digits}}
always: [{key: star, goto: ask}]
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
    assert seen().everywhere == (("ask", ("key *",)),)
