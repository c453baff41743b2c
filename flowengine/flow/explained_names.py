"""The explanations of what is wrong with what a flow refers to: tools, texts, other flows, included files."""

from __future__ import annotations

from flowengine.flow.explanation import Explanation, flow, node

_BALANCE = 'tools:\n  balance: {http: GET, url: "https://api.example/balance", args: {id: string}}\n'
_END = "  bye: {say: Goodbye., goto: end}\n"
_VERIFY = (
    "flow: verify\nversion: 1\nargs: {account: {type: digits, required: true}}\n"
    "nodes:\n  main: {say: One moment., goto: found}\n  found: {return: verified}\n"
)

NAMES = (
    Explanation(
        "bad-json-schema",
        "the description of a tool's argument is no JSON Schema",
        "A language model is told by it what to fill in.",
        "write for example `{type: string, description: the order's number}`",
        flow(
            'tools:\n  status: {http: GET, url: "https://api.example/status", args: {id: {type: text}}}\n'
            "nodes:\n  main: {say: Hello., goto: end}\n"
        ),
    ),
    Explanation(
        "cancelled-side-effect",
        "a tool that changes something is cancelled when the caller speaks",
        "It may be cut off after it has booked the table and before it could say so.",
        "write `when_interrupted: keep`, or `idempotent: true` if running it twice does no harm",
        flow(
            'tools:\n  book: {http: POST, url: "https://api.example/book", when_interrupted: cancel}\n'
            "nodes:\n  main: {say: Hello., goto: end}\n"
        ),
    ),
    Explanation(
        "defined-twice",
        "a name is defined in two files",
        "A file that is included adds to the flow; which of the two would count, nobody could tell.",
        "rename or delete one of the two",
        flow("include: [beside.yaml]\nnodes:\n  main: {say: Hello., goto: bye}\n" + _END),
        beside="nodes:\n  bye: {say: Goodbye and thank you., goto: end}\n",
    ),
    Explanation(
        "missing-argument",
        "a flow is run without an argument that it needs",
        "It declares the argument as required, so it can not start without it.",
        "add it under `with`",
        node("say: Hello.", "subflow: verify", "goto: end"),
        beside=_VERIFY,
    ),
    Explanation(
        "missing-file",
        "an included file is not there",
        "Its variables, texts and nodes would be missing.",
        "write the path as seen from the folder of the flow",
        flow("include: [parts/texts.yaml]\nnodes:\n  main: {say: Hello., goto: end}\n"),
    ),
    Explanation(
        "secret-in-file",
        "a key, a token or a password stands in the file",
        "Flows are stored, shared and drawn; whoever reads the file could use the secret.",
        'put it into the environment and read it there: `"{{ env.API_KEY }}"`',
        flow(
            'tools:\n  status:\n    http: GET\n    url: "https://api.example/status"\n'
            "    headers: {X-Api-Key: 4f9a1c2be07d}\nnodes:\n  main: {say: Hello., goto: end}\n"
        ),
    ),
    Explanation(
        "subflow-recursion",
        "a flow runs itself, directly or through others",
        "Each run would wait for the next one, and none would come back.",
        "go to a node with `goto`, or run another flow",
        node("say: Hello.", "subflow: example", "goto: end"),
        beside="",
    ),
    Explanation(
        "tool-form",
        "a tool is not exactly one of http, python and mcp",
        "What it is decides how it runs and which fields it has.",
        "leave one of the three, with its own fields",
        flow('tools:\n  status: {python: "shop:status", take: text}\nnodes:\n  main: {say: Hello., goto: end}\n'),
    ),
    Explanation(
        "tool-not-allowed",
        "the server's settings do not let it run this tool",
        "A flow may come from anybody; what it reaches beyond the call is for who runs the server to say.",
        "name the host, module or MCP server under `tools` in `flowengine.yaml`, or leave the tool out",
        flow(
            'tools:\n  status: {http: GET, url: "https://api.example/status"}\n'
            "nodes:\n  main: {tool: status, goto: end}\n"
        ),
    ),
    Explanation(
        "tool-without-args",
        "a model may call a tool of which nobody says what it takes",
        "The model would have to guess the names of the arguments.",
        "declare `args`, or `args: {}` where it takes none",
        node(
            "chat:",
            "  prompt: Help with orders.",
            "  tools: [status]",
            "  exits: {done: {when: the caller needs nothing more, goto: end}}",
            above='tools:\n  status: {http: GET, url: "https://api.example/status"}\n',
        ),
    ),
    Explanation(
        "unknown-argument",
        "an argument that the tool or flow does not take",
        "It would get lost, and the one that was meant would be missing.",
        "use a name that is declared there",
        node("tool: {name: balance, with: {account: 1}}", "goto: end", above=_BALANCE),
    ),
    Explanation(
        "unknown-flow",
        "there is no flow of this name in the folder",
        "`subflow` runs a flow by the name after its `flow:`, not by the name of its file.",
        "write the name of a flow in the same folder",
        node("say: Hello.", "subflow: verfiy", "goto: end"),
        beside=_VERIFY,
    ),
    Explanation(
        "unknown-text",
        "there is no text of this name",
        "`t` speaks a text that is declared under `texts`.",
        "declare it, or write the words here",
        node("say: {t: sory}", "goto: end", above="texts: {sorry: I am sorry.}\n"),
    ),
    Explanation(
        "unknown-tool",
        "there is no tool of this name",
        "A node runs a tool that is declared under `tools`.",
        "declare it, or use the name of one that is",
        node("tool: balanc", "goto: end", above=_BALANCE),
    ),
    Explanation(
        "unsafe-retry",
        "a tool that changes something is repeated after a failure",
        "A request that timed out may have been carried out; the second one would order twice.",
        "write `retry: 0`, or `idempotent: true` if twice does no harm",
        flow(
            'tools:\n  order: {http: POST, url: "https://api.example/order", retry: 2}\n'
            "nodes:\n  main: {say: Hello., goto: end}\n"
        ),
    ),
)
