"""`chat`: a conversation with a language model, until an exit."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from flowengine.flow import conversing
from flowengine.flow.conversing import ChatSpec, Exit
from flowengine.flow.expressions import EvaluationError
from flowengine.flow.kinds import Reading, Schema
from flowengine.flow.model import Branch, Command, Flow, Node, Prompt, ToolRun
from flowengine.flow.node_type import LanguageHalf
from flowengine.flow.source import Value
from flowengine.flow.values import UnfitValueError, fit
from flowengine.runtime import keys as keypad
from flowengine.runtime.effects import Ask, Effect, RunTool
from flowengine.runtime.node import (
    Acted,
    Context,
    Expects,
    KeyTaken,
    NodeEvent,
    Replied,
    ReplyBroke,
    RunningHalf,
    Said,
    TimerDue,
    ToolDone,
    ToolFailed,
)
from flowengine.runtime.prompting import offered_exits, offered_tools, persona, system_prompt, told
from flowengine.runtime.understanding import whole


class Chat(LanguageHalf, RunningHalf):
    """A language model answers, inside a fence: it may use the tools and take the exits that are written here.

    In ``local``: ``calls`` maps the runs of tools that are under way to the places of their answers in the history,
    ``steps`` counts the times that the model was asked since the caller's last turn, ``again`` says that it has to be
    asked once more, ``exit`` is the way out that it has chosen, ``entry`` are the keys of a turn by keys.
    """

    key = "chat"
    about = "A conversation with a language model, until one of its exits is taken."
    example = """\
help:
  chat:
    prompt: Help with questions about orders, and with nothing else.
    exits:
      done: {when: the caller needs nothing more, goto: bye}
      human: {when: the caller asks for a person, key: 0, goto: agent}
"""
    asks = True
    events = ("noinput", "toomany", "maxturns", "error.model", "error.stt")
    answers_failures = True
    realtime = False
    fields = conversing.FIELDS

    def schema(self) -> Schema:
        """Give the schema of the mapping."""
        return conversing.KIND.schema()

    def read(self, value: Value | None, reading: Reading) -> ChatSpec:
        """Read the conversation."""
        return conversing.read_chat(value, reading)

    def outcomes(self, spec: ChatSpec) -> tuple[str, ...]:
        """Name the exits without a `goto` of their own."""
        return conversing.outcomes(spec)

    def branches(self, spec: ChatSpec) -> tuple[Branch, ...]:
        """Give the exits with a `goto` of their own."""
        return conversing.branches(spec)

    def check(self, node: Node, flow: Flow, reading: Reading) -> None:
        """Every exit can be taken, and what the model uses is declared."""
        conversing.check(node, flow, reading)

    def takes(self, spec: ChatSpec) -> tuple[str, ...] | None:
        """Give the keys of the exits."""
        return conversing.takes(spec)

    def gives(self, spec: Any, outcome: str) -> tuple[str, ...]:
        """Name what the exit fills in."""
        return conversing.gives(spec, outcome)

    def shows(self, spec: ChatSpec) -> str:
        """Show the tools that the model may use."""
        return f"with {', '.join(tool.name for tool in spec.tools)}" if spec.tools else ""

    def labels(self, spec: ChatSpec) -> dict[str, str]:
        """Give the exits with their keys."""
        return conversing.labels(spec)

    # --- the conversation

    def wishes(self, spec: ChatSpec) -> tuple[type[Effect], ...]:
        """Ask a model, and run its tools."""
        return (Ask, RunTool) if spec.tools else (Ask,)

    def own_words(self, event: str) -> str:
        """Ask a silent caller whether they are still there."""
        return "still_there" if event == "noinput" else ""

    def question(self, ctx: Context) -> Prompt | None:
        """After silence only a reprompt is said: what was said before stands in the conversation."""
        node = ctx.node
        return node.reprompt[0] if node.reprompt else None

    def expects(self, ctx: Context) -> Expects:
        """Expect anything: a model understands it."""
        return Expects("text")

    def cutting_keys(self, ctx: Context) -> str:
        """Keys that do something cut: an exit's, a command's, or every key where keys are words."""
        spec: ChatSpec = ctx.node.spec
        if spec.keys == "text":
            return keypad.ALL
        return "".join(sorted({key[0] for key in self._choices(ctx)}))

    def gives_up(self, ctx: Context) -> bool:
        """A conversation has no ending of its own."""
        return False

    def enter(self, ctx: Context) -> None:
        """Open the conversation, or let the caller do it."""
        spec: ChatSpec = ctx.node.spec
        if ctx.flow.defaults.type_ahead != "always":
            ctx.flush_keys("chat")
        if ctx.visit.begin is None:  # else it is entered once more, and goes on
            ctx.visit.begin = len(ctx.history) if spec.history == "fresh" else 0
        ctx.local["steps"] = 0
        if ctx.node.say is not None:
            ctx.remember(role="assistant", text=ctx.words(ctx.node.say))
            ctx.ask(ctx.node.say)
        elif spec.opens == "bot":
            self._ask(ctx)
        else:
            ctx.listen()

    def handle(self, event: NodeEvent, ctx: Context) -> None:
        """Take what the caller does, what the model wants, and what its tools answer."""
        local = ctx.local
        if isinstance(event, Said):
            self._said(event.text, ctx)
        elif isinstance(event, KeyTaken):
            self._key(event.key, ctx)
        elif isinstance(event, Acted):
            self._acted(event, ctx)
        elif isinstance(event, Replied):
            self._replied(event, ctx)
        elif isinstance(event, ReplyBroke):
            self._broke(event, ctx)
        elif isinstance(event, ToolDone):
            self._tool_answered(event.run, event.result, ctx)
        elif isinstance(event, ToolFailed):
            self._tool_answered(event.run, {"error": event.error}, ctx)
        elif isinstance(event, TimerDue) and event.name == "interdigit":
            self._settle(local.pop("entry", ""), ctx)
        elif isinstance(event, TimerDue) and event.name == "noinput":
            ctx.fail("noinput")

    def _broke(self, event: ReplyBroke, ctx: Context) -> None:
        """The model failed; where the caller has heard something of its answer they are asked again."""
        self._note_answer(Replied(event.text, cut=True), ctx)
        ctx.local.pop("exit", None)
        if not event.text.strip():
            ctx.raise_event(event.event)
            return
        # Not in silence: it counts as one, so that what fails again and again comes to `toomany`.
        ctx.fail("noinput")

    def _said(self, text: str, ctx: Context) -> None:
        """Take the exit or the command that is the whole of what was said, else it is a turn of the conversation."""
        default = ctx.flow.defaults.lang
        entry = ctx.local.pop("entry", "")
        ctx.stop_timer("interdigit")
        way = whole(text, self._exits(ctx), ctx.lang, default)
        command = whole(text, ctx.awake(), ctx.lang, default) if way is None else None
        if way is not None:
            ctx.remember(role="user", text=text)
            self._leave(way, {}, ctx)
        elif command is not None:
            ctx.command(command)
        else:
            # Keys that are text and the words after them are one turn (case 14).
            self._turn(f"[keys: {entry}] {text}" if entry and ctx.node.spec.keys == "text" else text, ctx)

    def _turn(self, text: str, ctx: Context) -> None:
        """One turn of the caller: what was said before an answer had begun belongs to the same one (case 20)."""
        history, visit = ctx.history, ctx.visit
        self.dropped(ctx)
        if history and history[-1]["role"] == "user" and ctx.local.get("asked"):
            history[-1]["text"] = f"{history[-1]['text']} {text}"
        else:
            ctx.remember(role="user", text=text)
            visit.turns += 1
        visit.failures = 0
        visit.counts.pop("noinput", None)
        ctx.local["steps"] = 0
        ctx.local.pop("exit", None)
        for run in list(ctx.local.get("calls", {})):
            if ctx.cancel_tool(run):
                self._answered(run, {"cancelled": "the caller went on"}, ctx)
        self._ask(ctx)

    def _ask(self, ctx: Context) -> None:
        spec: ChatSpec = ctx.node.spec
        ctx.stop_timer("interdigit")
        ctx.local.pop("entry", None)
        ctx.local["asked"] = True
        ctx.local["again"] = False
        ctx.local["steps"] += 1
        ctx.ask_model(
            system_prompt(ctx, spec),
            told(ctx.history, ctx.visit.begin or 0, spec),
            tools=offered_tools(ctx.flow, spec),
            exits=offered_exits(ctx, self._exits(ctx)),
            temperature=spec.temperature,
            keys=self.cutting_keys(ctx),
            realtime=self.realtime,
            persona=persona(ctx),
            filler=spec.filler,
        )

    def _acted(self, event: Acted, ctx: Context) -> None:
        """The model wants a tool run, or to leave; every wish gets an answer, or the next request would be refused."""
        local = ctx.local
        event = replace(event, id=self._fresh_id(event.id, ctx))
        local.setdefault("wishes", []).append({"id": event.id, "name": event.name, "values": dict(event.values)})
        if event.act == "tool" and event.name in [tool.name for tool in ctx.node.spec.tools]:
            try:
                run = ctx.run_tool(ToolRun(event.name, ctx.node.span), event.values)
            except EvaluationError as error:
                # Of what the model has left out, or made up: it is told, and may do better.
                local.setdefault("answers", {})[event.id] = {"error": str(error)}
                local["again"] = True
                return
            local.setdefault("runs_of", {})[run] = event.id
        elif event.act == "tool":
            local.setdefault("answers", {})[event.id] = {"error": "there is no such tool"}
            local["again"] = True
        elif "exit" in local:
            local.setdefault("answers", {})[event.id] = "ignored: the conversation moved on"
        else:
            local["exit"] = {"name": event.name, "values": dict(event.values), "id": event.id}

    def _fresh_id(self, name: str, ctx: Context) -> str:
        """Some models call every call the same: its answer shall find it."""
        used = {message["id"] for message in ctx.history if message["role"] == "tool"}
        used |= {wish["id"] for wish in ctx.local.get("wishes", ())}
        number = len(used)
        fresh = name
        while fresh in used:
            number += 1
            fresh = f"{name}.{number}"
        return fresh

    def _replied(self, event: Replied, ctx: Context) -> None:
        """The answer was heard, or cut: note what was heard of it, then leave, wait for tools, ask again, or listen."""
        local = ctx.local
        self._note_answer(event, ctx)
        if event.cut:
            # Who cut it has something else in mind; what the model had chosen before counts all the same (case 15).
            chosen = local.pop("exit", None)
            if chosen is not None:
                self._may_leave(chosen, ctx)
            return  # what cut it comes next
        self._go_on(ctx)

    def _note_answer(self, event: Replied, ctx: Context) -> None:
        local = ctx.local
        local["asked"] = False
        wishes, answers = local.pop("wishes", []), local.pop("answers", {})
        text = f"{event.text.rstrip()}…" if event.cut and event.text.strip() else event.text
        if not text.strip() and not wishes:
            return
        ctx.remember(role="assistant", text=text, calls=wishes)
        by_id = {call: run for run, call in local.pop("runs_of", {}).items()}
        early = local.get("early", {})
        for wish in wishes:
            run = by_id.get(wish["id"])
            known = run in early  # it may have answered nothing
            result = answers.get(wish["id"], early.pop(run) if known else "pending")
            ctx.remember(role="tool", id=wish["id"], name=wish["name"], result=result)
            if run and not known:
                local.setdefault("calls", {})[run] = wish["id"]

    def _tool_answered(self, run: str, result: Any, ctx: Context) -> None:
        local = ctx.local
        local["again"] = True
        if run in local.get("runs_of", {}):
            local.setdefault("early", {})[run] = result  # the answer that asked for it is still being spoken
            return
        self._answered(run, result, ctx)
        # What plays, or the key that may go on, comes first: the model is asked after it.
        if not ctx.speaking and not local.get("entry"):
            self._go_on(ctx)

    def _answered(self, run: str, result: Any, ctx: Context) -> None:
        """Put a tool's answer into its place in the history."""
        call = ctx.local.get("calls", {}).pop(run, None)
        for message in reversed(ctx.history):
            if message["role"] == "tool" and message["id"] == call:
                message["result"] = result
                return

    def _go_on(self, ctx: Context) -> None:
        """Leave, or ask again, when all tools have answered, else listen; a conversation of too many turns is over."""
        spec: ChatSpec = ctx.node.spec
        if ctx.errands:
            return  # we owe the caller something: silence is not counted (case 23)
        chosen = ctx.local.pop("exit", None)
        if chosen is not None and self._may_leave(chosen, ctx):
            return
        if self.goes_on(ctx):
            return
        if ctx.visit.turns >= spec.max_turns:
            ctx.raise_event("maxturns")
        else:
            ctx.listen()

    def goes_on(self, ctx: Context) -> bool:
        """Ask the model once more where it has answers of tools that it was not told."""
        owes = ctx.local.get("again") and not ctx.errands
        if not owes or ctx.local["steps"] > ctx.flow.defaults.limits.tool_steps:
            return False
        self._ask(ctx)
        return True

    def dropped(self, ctx: Context) -> None:
        """What an answer had wanted already stands in the history, and gets its answers."""
        ctx.local.pop("exit", None)
        if ctx.local.get("wishes"):
            self._note_answer(Replied("", cut=True), ctx)

    def _may_leave(self, chosen: dict[str, Any], ctx: Context) -> bool:
        """Take the exit that the model has chosen, or tell it why not and ask again."""
        command = next((c for c in ctx.awake() if c.name == chosen["name"] and c.when), None)
        way = next((one for one in self._exits(ctx) if one.name == chosen["name"]), None)
        refusal = ""
        if way is None and command is None:
            refusal = "there is no such exit"
        elif not ctx.visit.turns and not (way is not None and way.condition is not None):
            # The model may not answer its own question (case 21); an exit whose `if` holds may.
            refusal = "ask first: the caller has not said anything yet"
        elif way is not None:
            refusal = self._unfit(way, chosen["values"], ctx)
        if refusal:
            self._refuse(chosen["id"], refusal, ctx)
            return False
        if way is not None:
            self._leave(way, chosen["values"], ctx)
        elif command is not None:
            ctx.command(command)
        return True

    def _refuse(self, call: str, why: str, ctx: Context) -> None:
        ctx.note("refused", why=why)
        for message in reversed(ctx.history):
            if message["role"] == "tool" and message["id"] == call:
                message["result"] = why
                break
        ctx.local["again"] = True

    def _unfit(self, way: Exit, values: Any, ctx: Context) -> str:
        """Say which value does not fit its variable; empty where all do."""
        for name in way.fill:
            variable = ctx.flow.vars[name]
            try:
                fit(variable.kind, values.get(name), variable.choices)
            except UnfitValueError:
                return f"{name} is not a value of the type {variable.kind}"
        return ""

    def _leave(self, way: Exit, values: Any, ctx: Context) -> None:
        for name in way.fill:
            if name in values:
                ctx.propose(name, values[name])
                ctx.store(name)
        ctx.assign(way.set, way.add)
        ctx.done(way.name)

    def _exits(self, ctx: Context) -> list[Exit]:
        """Give the exits that are there now."""
        scope = ctx.scope()
        exits: tuple[Exit, ...] = ctx.node.spec.exits
        return [one for one in exits if one.condition is None or one.condition.holds(scope)]

    def _choices(self, ctx: Context) -> dict[str, Exit | Command]:
        return {**ctx.commands(), **{key: one for one in reversed(self._exits(ctx)) for key in one.keys}}

    def _key(self, key: str, ctx: Context) -> None:
        """Take an exit or a command by its keys, gather a turn of keys, or do nothing, as `keys` says."""
        spec: ChatSpec = ctx.node.spec
        entry = ctx.local.get("entry", "") + key
        ctx.stop_timer("interdigit")
        if spec.keys == "text":
            ctx.local["entry"] = entry.removesuffix("#")
            if key == "#":
                self._settle(ctx.local.pop("entry"), ctx)
            else:
                ctx.start_timer("interdigit", ctx.node.timeouts.interdigit)
            return
        found = keypad.match(entry, self._choices(ctx)) if spec.keys == "exit" else keypad.Match.NONE
        if found in (keypad.Match.PREFIX, keypad.Match.OPEN):
            ctx.local["entry"] = entry
            ctx.start_timer("interdigit", ctx.node.timeouts.interdigit)
        else:
            ctx.local["entry"] = ""
            self._settle(entry, ctx)

    def _settle(self, entry: str, ctx: Context) -> None:
        """Take the keys that were pressed: they are a turn, an exit, a command, or nothing."""
        spec: ChatSpec = ctx.node.spec
        chosen = self._choices(ctx).get(entry) if spec.keys == "exit" else None
        if spec.keys == "text":
            self._turn(f"[keys: {entry}]", ctx)
        elif chosen is None:
            ctx.note("ignored", why="this node does not take it")
            if not ctx.speaking and not self.goes_on(ctx):
                ctx.await_input()
        else:
            ctx.remember(role="user", text=f"[keys: {entry}]")
            if isinstance(chosen, Exit):
                self._leave(chosen, {}, ctx)
            else:
                ctx.command(chosen)


NODE = Chat()
