"""The explanations of what is wrong with what is said, heard and collected."""

from __future__ import annotations

from flowengine.flow.explanation import Explanation, flow, node

_DONE = "  exits: {done: {when: the caller needs nothing more, goto: end}}"

SPEECH = (
    Explanation(
        "bad-pattern",
        "`match` is no regular expression",
        "Values are held against it by RE2, whose time does not explode; it has no look-around and no back references.",
        "close brackets and groups, and escape signs that have a meaning with a backslash",
        node("say: Code?", "collect: {into: code, match: '[A-Z'}", "goto: end", above="vars: {code: text}\n"),
    ),
    Explanation(
        "chat-without-exits",
        "a conversation with a model has no way out",
        "It goes on until the caller hangs up or a timer ends it, and the model can not hand over to anybody.",
        "write `exits`, each with `when` the model may take it",
        node("say: How can I help?", "chat: {prompt: Help with orders.}", above="defaults: {lang: en-US}\n"),
    ),
    Explanation(
        "duplicate-phrase",
        "one phrase for two options or commands",
        "When the caller says it, neither is taken: that is a nomatch.",
        "give each phrases of its own",
        node(
            "say: Say sales or support.",
            "menu:",
            "  - {hear: [sales, to buy], goto: end}",
            "  - {hear: [support, Sales], goto: main}",
        ),
    ),
    Explanation(
        "endless-wait",
        "nothing ends a wait",
        "It has no time, no event and no option, so the caller would hold the line until the call ends.",
        "add `for: 5m`, `events` or `options`",
        node("say: Please hold.", "wait: {say: Thank you for waiting.}"),
    ),
    Explanation(
        "from-not-list",
        "`from` is not one expression",
        "It has to give a list, and a text around the braces makes a text of it.",
        'write one `{{ }}` alone: `from: "{{ slots }}"`',
        node(
            "say: Which one?",
            'collect: {into: slot, from: "the {{ slots }}", show: "{{ it }}"}',
            "goto: end",
            above="vars: {slot: text, slots: {type: list, default: [Monday, Tuesday]}}\n",
        ),
    ),
    Explanation(
        "goto-and-do",
        "a global command both leads away and does something",
        "`do` repeats the prompt or changes its loudness and stays where the call is.",
        "delete `do` or `goto`",
        flow("always: [{key: star, do: repeat, goto: main}]\nnodes:\n  main: {say: Hello., goto: end}\n"),
    ),
    Explanation(
        "key-not-told",
        "the words of a menu leave a key out",
        "Callers press what they are told to press; nobody finds the other key.",
        "say what it is for, or write `# flowengine: ignore[key-not-told]` beside a key that nobody shall know",
        node("say: For sales press 1.", "menu:", "  - {key: 1, name: sales, goto: end}", "  - {key: 2, goto: main}"),
    ),
    Explanation(
        "long-prompt",
        "long words that nobody can interrupt",
        "Callers who know them, or want a person, have to wait for the end.",
        "shorten them, or let keys interrupt: `barge_in: keys`",
        node(
            "say: >",
            *["  This call may be recorded to train our people and to improve what we do for you."] * 4,
            "barge_in: false",
            "goto: end",
        ),
    ),
    Explanation(
        "maybe-unset",
        "a variable can be null where it is used",
        "On some way to this node nothing gives it a value, and null can not be spoken: the caller hears an apology.",
        "give it a default, set it before, test `is set`, or write `| default(…)`",
        node('say: "Hello {{ name }}."', "goto: end", above="vars: {name: text}\n"),
    ),
    Explanation(
        "missing-translation",
        "a text is missing in a language that the flow speaks",
        "A caller in that language hears it in another one.",
        "add it in that language",
        node(
            "say: [{t: hello}, {t: bye}]",
            "goto: end",
            above="texts:\n  hello: {en: Hello., de: Hallo.}\n  bye: {en: Goodbye.}\n",
        ),
    ),
    Explanation(
        "no-zone",
        "the time of day without a time zone",
        "Without one the time is UTC's, and an office opens and closes hours too early or too late.",
        "write the zone under `defaults`: `zone: Europe/Berlin`",
        node("say: Hello.", "goto: [{if: now.hour < 12, goto: end}, {else: end}]"),
    ),
    Explanation(
        "no-model",
        "a conversation with a language model that this server does not have",
        "A call that came there could not go on.",
        "name it in the settings: `models: {default: {use: anthropic, key: ${ANTHROPIC_KEY}}}`",
        node("chat: {prompt: Help., exits: {done: {when: all is done, goto: end}}}"),
    ),
    Explanation(
        "no-transcriber",
        "callers could do this by voice alone, and nobody would understand them",
        "This server turns no speech into words, so no caller could choose it.",
        "give it a key as well, or name a transcriber in the settings: `speech: {transcriber: {use: …}}`",
        node(
            "say: Sales or support?",
            "menu:",
            "  - {key: 1, hear: [sales], goto: end}",
            "  - {hear: [support], goto: end}",
        ),
    ),
    Explanation(
        "not-run-yet",
        "a server does not run this yet",
        "The language is further than the server; a call that came there could not go on.",
        "leave it out of flows that a server runs, until a later version",
        node("say: One moment.", "wait: {for: 1m, play: music.wav}", "goto: end"),
    ),
    Explanation(
        "press-without-key",
        "the words tell to press a key that does nothing",
        "The caller presses it and hears that it is not one of the choices.",
        "add the option, or change the words",
        node("say: For sales press 1. For support press 3.", "menu:", "  - {key: 1, name: sales, goto: end}"),
    ),
    Explanation(
        "private-in-prompt",
        "a private value goes to a language model",
        "What is in a prompt leaves your machines, and a model may repeat it.",
        "leave it out, or print its end alone: `{{ account | last4 }}`",
        node(
            "chat:",
            '  prompt: "The account is {{ account }}."',
            _DONE,
            above="vars: {account: {type: digits, private: true, default: '1234'}}\n",
        ),
    ),
    Explanation(
        "similar-exits",
        "two exits are so alike that a model can hardly choose",
        "Which one it takes would be chance.",
        "say in what they differ",
        node(
            "chat:",
            "  prompt: Help with orders.",
            "  exits:",
            "    human: {when: the caller wants to talk to a person, goto: main}",
            "    agent: {when: the caller wants to talk to a person now, goto: end}",
        ),
    ),
    Explanation(
        "unfit-field",
        "a field that does not go with what is collected",
        "A date has no length in digits, and an entry of a list is taken as it is.",
        "delete it, or collect another type",
        node("say: When?", "collect: {into: day, length: 6}", "goto: end", above="vars: {day: date}\n"),
    ),
    Explanation(
        "unknown-key",
        "something that is no key of a telephone",
        "Only 0 to 9, *, #, A to D have tones; `w` is half a second of silence between them.",
        "write only these",
        node('press: "1-800"', "goto: end"),
    ),
)
