"""The explanations of what is wrong with the form of a flow: fields, values, names, variables, expressions."""

from __future__ import annotations

from flowengine.flow.explanation import Explanation, flow, node

_BYE = "nodes:\n  bye:\n    say: Goodbye.\n    goto: end\n"

FIELDS = (
    Explanation(
        "bad-expression",
        "a condition that does not parse or is not allowed",
        "`if` and `check` are expressions without braces: names, texts, numbers, `== != < <= > >= in`, `and or not`, "
        "`is set` and the filters of the language. Nothing else runs inside a call.",
        "write it as the help of the finding says; `==` compares",
        node("say: Hello.", "goto:", "  - {if: num = 3, goto: end}", "  - {else: end}", above="vars: {num: int}\n"),
    ),
    Explanation(
        "bad-name",
        "a name of a form that can not stand here",
        "Names of nodes and variables are written in expressions, addresses and traces, so they have one plain form.",
        "begin with a small letter; go on with small letters, digits and _ (in nodes also -)",
        flow("vars: {order-id: text}\n" + _BYE),
    ),
    Explanation(
        "bad-template",
        "a template that does not parse or is not allowed",
        "A text with {{ }} is a template. A wrong filter, bracket or operator in it would be noticed by the caller.",
        "write it as the help of the finding says",
        node('say: "{{ num | spel }}"', "goto: end", above="vars: {num: {type: int, default: 1}}\n"),
    ),
    Explanation(
        "duplicate-flow",
        "two flows of one name in a folder",
        "Calls choose a flow by its name, so one of the two could never be called.",
        "rename one of them",
        node("say: Hello.", "goto: end"),
        beside=node("say: Good evening.", "goto: end"),
    ),
    Explanation(
        "enum-without-values",
        "an enum without its values",
        "The type enum is a choice, and nothing says of what.",
        "add `values: [one, two]`",
        flow("vars: {size: {type: enum}}\n" + _BYE),
    ),
    Explanation(
        "missing-field",
        "a required field is missing",
        "Without it nobody knows what to do here.",
        "add the field that the finding names, in the mapping whose key it shows",
        "flow: example\n" + _BYE,
    ),
    Explanation(
        "name-clash",
        "a variable takes a name of the engine",
        "Names such as call, node, result and now are given by the engine in every expression.",
        "choose another name",
        flow("vars: {result: text}\n" + _BYE),
    ),
    Explanation(
        "not-a-flow",
        "there is no flow in this file",
        "The file is empty, or holds a text or a list instead of fields.",
        "begin with `flow: NAME`, or move the file out of the folder of flows",
        "Hello.\n",
    ),
    Explanation(
        "prompt-form",
        "a prompt with none or several of its forms",
        "A mapping under `say` is one thing to play: text, audio, pause or one_of. `text` may stand beside `audio`.",
        "make a list of several prompts",
        node("say: {text: Hello., pause: 500ms}", "goto: end"),
    ),
    Explanation(
        "read-only",
        "an assignment to what the engine gives",
        "call, node, args and env tell what is so; a flow can not change it.",
        "assign to a variable declared under `vars`, or to shared.NAME",
        node("say: Hello.", 'set: {call.from: "+15550100"}', "goto: end"),
    ),
    Explanation(
        "two-types",
        "a node with two type keys",
        "A node does one thing: it is a menu, or a collect, or a hangup, …",
        "make two nodes of it and lead a `goto` from the first to the second",
        node("say: Press 1.", "menu:", "  - {key: 1, goto: end}", "hangup:"),
    ),
    Explanation(
        "unknown-command",
        "a node allows a global command that there is not",
        "`always` in a node lists names of the commands under the flow's `always`.",
        "write one of their names; a command without `name` is called as its `goto`",
        flow(
            "always:\n  - {key: star, goto: bye}\n"
            "nodes:\n  bye:\n    say: Goodbye.\n    always: [agent]\n    goto: end\n"
        ),
    ),
    Explanation(
        "unknown-event",
        "a handler for an event that there is not",
        "The handler would never run.",
        "write one of the events: noinput, nomatch, invalid, toomany, maxvisits, timeout.node, error, hangup, …",
        node("say: Hello.", "catch: {no_input: {say: Sorry.}}", "goto: end"),
    ),
    Explanation(
        "unknown-field",
        "a field that there is not",
        "A misspelt field would be passed over in silence; so every field that is not known is an error.",
        "correct it to the one that the finding names",
        node("say: Hello.", "barge_inn: false", "goto: end"),
    ),
    Explanation(
        "unknown-node",
        "a `goto` to a node that there is not",
        "The call would have nowhere to go.",
        "correct the name, or write the node; again, back and end lead without a node",
        node("say: Hello.", "goto: mian"),
    ),
    Explanation(
        "unknown-outcome",
        "a `goto` for an outcome that the node does not have",
        "A map under `goto` has one entry for each outcome of the node; this one would never be taken.",
        "write one of its outcomes, or else",
        node("say: Wait.", 'transfer: "+15550100"', "goto: {answered: end, else: end}"),
    ),
    Explanation(
        "unknown-variable",
        "a variable that nobody declared",
        "It would have no value, and the caller would hear an apology.",
        "correct the name, or declare it under `vars`; arguments are args.NAME",
        node('say: "Hello {{ nmae }}"', "goto: end", above="vars: {name: {type: text, default: you}}\n"),
    ),
    Explanation(
        "unset-variable",
        "the settings name an environment variable that is not set",
        "Secrets stay out of files: `${NAME}` takes them from the environment, where this one is not.",
        "set it where the server starts, or give a default: ${NAME:-default}",
        'server: {public_url: "${PUBLIC_URL}"}\n',
        file="flowengine.yaml",
    ),
    Explanation(
        "wrong-type",
        "a value that does not fit its variable",
        "Assignments are checked. In a call this one would raise error.type.",
        "write a value of the type, or change the type of the variable",
        flow("vars: {count: {type: int, default: many}}\n" + _BYE),
    ),
    Explanation(
        "wrong-value",
        "a value of a form that the field does not take",
        "Each field says what it takes: a duration has its unit (6s), a choice is one of its words.",
        "write it as the finding says; `check --fix` writes true and false for yes and no",
        node("say: Hello.", "timeouts: {node: 6}", "goto: end"),
    ),
)
