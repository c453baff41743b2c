"""The explanations of what is wrong with the way of a call: where nodes lead, and what callers can do in them."""

from __future__ import annotations

from flowengine.flow.explanation import Explanation, flow, node

_BYE = "  bye:\n    say: Goodbye.\n    goto: end\n"

WAYS = (
    Explanation(
        "case-after-else",
        "cases after `else` are never tried",
        "Cases are tried from the top, and else fits always.",
        "move `else` to the end",
        node("say: Hello.", "goto:", "  - {else: end}", "  - {if: call.failures > 1, goto: main}"),
    ),
    Explanation(
        "case-without-goto",
        "a case leads nowhere",
        "When its condition fits, the call would not know where to go.",
        "add `goto: NODE` to the case",
        node("say: Hello.", "goto:", "  - {if: call.failures > 1}", "  - {else: end}"),
    ),
    Explanation(
        "digit-ends-entry",
        "a key that ends or clears the entry is one of its digits",
        "The caller could never enter a number that contains this digit.",
        "use hash or star",
        node("say: Number?", "collect: {into: num, end_key: 0}", "goto: end", above="vars: {num: digits}\n"),
    ),
    Explanation(
        "duplicate-menu-key",
        "one key for two options or commands",
        "Only the first of them could be taken.",
        "give each a key of its own, or each a condition of its own",
        node("say: Press 1.", "menu:", "  - {key: 1, name: a, goto: end}", "  - {key: 1, name: b, goto: main}"),
    ),
    Explanation(
        "duplicate-option",
        "two options of one name",
        "Outcomes, traces and tests call an option by its name. One without a name is called as its `goto`.",
        "give one of them a `name` of its own",
        node("say: Press 1 or 2.", "menu:", "  - {key: 1, name: a, goto: end}", "  - {key: 2, name: a, goto: main}"),
    ),
    Explanation(
        "empty-range",
        "the shorter length comes first",
        "No number has at least eight and at most four digits.",
        "write `4..8`",
        node("say: Number?", "collect: {into: num, length: 8..4}", "goto: end", above="vars: {num: digits}\n"),
    ),
    Explanation(
        "idle-back",
        "there is nothing to go back to",
        "back leads to the node that a global command or a handler interrupted, and this flow has none that does.",
        "write the name of the node",
        node("say: Hello.", "goto: back"),
    ),
    Explanation(
        "impossible-handler",
        "a handler for what can not happen here",
        "A node that asks nothing hears no wrong answer, and nobody hears a prompt after the hangup.",
        "move the handler to the node that asks, or to the flow; after the end use only `set` and `add`",
        node("say: Hello.", "catch: {nomatch: {say: Sorry.}}", "goto: end"),
    ),
    Explanation(
        "no-else",
        "a list of cases without `else`",
        "When no condition fits, the call would not know where to go.",
        "add `- {else: NODE}` as the last case",
        node("say: Hello.", "goto:", "  - {if: call.failures > 1, goto: end}"),
    ),
    Explanation(
        "no-way-out",
        "a node that leads nowhere",
        "After its words the call would hang in silence.",
        "add `goto: NODE`, or `goto: end` to end the call",
        node("say: Hello."),
    ),
    Explanation(
        "option-without-key",
        "an option that can not be taken",
        "It has neither a key nor phrases, so nothing that a caller does could take it.",
        "add `key: 1`, or `hear: [sales]`",
        node("say: Press 1.", "menu:", "  - {key: 1, name: one, goto: end}", "  - {name: two, goto: main}"),
    ),
    Explanation(
        "same-key",
        "one key ends and clears the entry",
        "Only one of the two could happen.",
        "choose another key for one of them",
        node(
            "say: Number?",
            "collect: {into: num, end_key: star, clear_key: star}",
            "goto: end",
            above="vars: {num: digits}\n",
        ),
    ),
    Explanation(
        "silent-cycle",
        "a round in which nobody speaks or is asked",
        "A call would spin in it without the caller hearing anything, until a limit ends it.",
        "let one of its nodes speak or ask, or lead it out of the round",
        flow("nodes:\n  main:\n    say: Hello.\n    goto: a\n  a:\n    goto: b\n  b:\n    goto: a\n"),
    ),
    Explanation(
        "unmapped-outcome",
        "an outcome without a target",
        "A map under `goto` has to say for each outcome of the node where the call goes.",
        "add the outcome, or `else: NODE`",
        node("say: Wait.", 'transfer: "+15550100"', "goto: {ended: end, busy: end, noanswer: end, declined: end}"),
    ),
    Explanation(
        "unreachable-node",
        "nothing leads to a node",
        "No call can ever get there. Often it is what is left of an earlier version, or a `goto` is missing.",
        "delete it, or lead a `goto` to it; `# flowengine: ignore[unreachable-node]` on its line keeps it silently",
        node("say: Hello.", "goto: end") + _BYE,
    ),
    Explanation(
        "unused-goto",
        "a `goto` that is never taken",
        "Every option has a `goto` of its own, or the call leaves the flow in this node.",
        "delete it",
        node("say: Press 1.", "menu:", "  - {key: 1, goto: end}", "goto: end"),
    ),
)
