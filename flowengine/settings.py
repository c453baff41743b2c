"""Settings from `flowengine.yaml` and the environment: the only reader of ``os.environ``.

The file goes through the same strict reader as flows, and its mistakes become the same diagnostics. ``${NAME}`` and
``${NAME:-default}`` are taken from the environment; every key can be overridden by ``FLOWENGINE_SECTION__KEY``. No file
is needed: the embedded defaults answer calls on one machine.
"""

from __future__ import annotations

import ipaddress
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from flowengine.errors import EnvironmentProblem
from flowengine.flow import source
from flowengine.flow.diagnostics import Diagnostic, Report, Span
from flowengine.flow.kinds import (
    NAME,
    Choice,
    Decimal,
    Duration,
    Field,
    Fields,
    Kind,
    ListOf,
    Pattern,
    Reading,
    Schema,
    Text,
    Whole,
    proposing,
    words_of,
)
from flowengine.flow.schema import Checker
from flowengine.flow.source import Entry, Scalar, Value

FILE = "flowengine.yaml"
ID = "https://flowengine.dev/schemas/settings.schema.json"
PREFIX = "FLOWENGINE_"
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where the server listens and how it is reached. ``drain`` in seconds."""

    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str = ""
    max_calls: int = 200
    drain: float = 900.0
    secret: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """Calls to this number run this flow."""

    to: str
    flow: str


@dataclass(frozen=True, slots=True)
class FlowSettings:
    """Where flows are and which one runs."""

    folder: str = "flows"
    default: str = ""
    routes: tuple[Route, ...] = ()


@dataclass(frozen=True, slots=True)
class CarrierSettings:
    """An account with a carrier. ``signatures`` is empty for the default of the place."""

    account: str = ""
    token: str = ""
    signatures: str = ""
    stream_key: str = ""


@dataclass(frozen=True, slots=True)
class VoiceSettings:
    """Who speaks. ``voice`` is what flows call `default`, ``library`` is `local`'s alone; ``key`` is a secret."""

    use: str = "local"
    library: str = "packaged"
    url: str = ""
    model: str = ""
    voice: str = ""
    key: str = field(default="", repr=False)
    fallback: VoiceSettings | None = None


@dataclass(frozen=True, slots=True)
class TranscriberSettings:
    """Who understands what callers say; ``use`` is `none` where they answer with keys. ``key`` is a secret."""

    use: str = "none"
    url: str = ""
    model: str = ""
    key: str = field(default="", repr=False)
    fallback: TranscriberSettings | None = None


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """A language model by the name that flows call it; ``model`` is the provider's name of it. ``key`` is a secret."""

    use: str
    url: str = ""
    model: str = ""
    key: str = field(default="", repr=False)
    fallback: str = ""


@dataclass(frozen=True, slots=True)
class DetectorSettings:
    """Who tells a voice from other sound; with ``use`` `none` nobody listens, and no voice stops a prompt."""

    use: str = "silero"


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Where files go."""

    url: str = "sqlite:///flowengine.db"
    traces: str = "traces"
    cache: str = ""
    recordings: str = "recordings"


@dataclass(frozen=True, slots=True)
class McpServer:
    """An MCP server: a command that is started and spoken to over its pipes, or an address."""

    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolSettings:
    """What the tools of flows may reach; by default nothing."""

    python: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    mcp: Mapping[str, McpServer] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set, checked."""

    server: ServerSettings = ServerSettings()
    flows: FlowSettings = FlowSettings()
    carriers: Mapping[str, CarrierSettings] = field(default_factory=dict)
    voice: VoiceSettings = VoiceSettings()
    detector: DetectorSettings = DetectorSettings()
    transcriber: TranscriberSettings = TranscriberSettings()
    models: Mapping[str, ModelSettings] = field(default_factory=dict)
    prices: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    tools: ToolSettings = field(default_factory=ToolSettings)
    env: Mapping[str, str] = field(default_factory=dict)
    store: StoreSettings = StoreSettings()

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.server.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.server.host).is_loopback
        except ValueError:
            return False

    @property
    def public_url(self) -> str:
        """Give the address under which carriers reach us, without a slash at its end.

        Raises ``EnvironmentProblem`` where it can not be guessed.
        """
        if self.server.public_url:
            return self.server.public_url.rstrip("/")
        if not self.loopback:
            raise EnvironmentProblem(
                "server.public_url is empty: beyond loopback the address that carriers use must be set, "
                "in flowengine.yaml or as FLOWENGINE_SERVER__PUBLIC_URL"
            )
        return self.local_url

    @property
    def local_url(self) -> str:
        """Give the address on which the server listens."""
        host = f"[{self.server.host}]" if ":" in self.server.host else self.server.host
        return f"http://{host}:{self.server.port}"

    def carrier(self, name: str) -> CarrierSettings:
        """Give a carrier's settings with the policy for signatures that holds here."""
        carrier = self.carriers.get(name, CarrierSettings())
        policy = carrier.signatures or ("if-present" if self.loopback else "required")
        return replace(carrier, signatures=policy)

    def check(self) -> None:
        """Raise ``EnvironmentProblem`` for what would let strangers in or keep carriers out."""
        _ = self.public_url
        for name, carrier in self.carriers.items():
            policy = self.carrier(name).signatures
            if policy == "required" and not carrier.token:
                raise EnvironmentProblem(f"carriers.{name}.token is empty, but its signatures are required")
            if policy == "off" and not self.loopback:
                raise EnvironmentProblem(f"carriers.{name}.signatures: off is for loopback only")
        if not self.loopback and not self.carriers:
            raise EnvironmentProblem("no carrier is set: without its token nobody could be told from a stranger")


@dataclass(frozen=True)
class _MapOf(Kind):
    """Names to values of one kind."""

    inner: Kind
    names: str
    sentence: str
    pattern: str = NAME

    def schema(self) -> Schema:
        return {
            "type": "object",
            "propertyNames": {"pattern": self.pattern, "errorMessage": self.names},
            "additionalProperties": self.inner.schema(),
            "errorMessage": self.sentence,
        }

    def read(self, value: Value, reading: Reading) -> dict[str, Any]:
        if not isinstance(value, source.Mapping):
            return {}
        return {key: self.inner.read(entry.value, reading) for key, entry in value.entries.items()}


class _McpKind(Kind):
    """An MCP server: `command` with `env`, or `url` with `headers`."""

    mapping = Fields(
        (
            Field(
                "command", ListOf(Text(), 1), "The command that is started and spoken to over its pipes, word by word."
            ),
            Field(
                "env",
                _MapOf(
                    Text(),
                    "must be the name of a variable",
                    "must be a map from variables to texts",
                    r"^[A-Za-z_][A-Za-z0-9_]*$",
                ),
                "The environment of the command, beside PATH and HOME.",
            ),
            Field(
                "url",
                Pattern(r"^https?://[^\s/?#]+[^\s#]*$", "must be an address such as https://mcp.example.com/mcp"),
                "The address of a server (streamable HTTP).",
            ),
            Field(
                "headers",
                _MapOf(
                    Text(),
                    "must be the name of a header",
                    "must be a map from headers to texts",
                    r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
                ),
                "Headers of every request to the address.",
            ),
        ),
        "must be a mapping with `command` or `url`",
    )

    def schema(self) -> Schema:
        return self.mapping.schema()

    def read(self, value: Value, reading: Reading) -> McpServer:
        read = self.mapping.read(value, reading)
        form = "url" if "url" in read else "command"
        other = {"url": ("command", "env"), "command": ("url", "headers")}[form]
        if form not in read or any(name in read for name in other):
            help_ = "write `command` (with `env`), or `url` (with `headers`)"
            reading.report.error("wrong-value", "an MCP server is either a command or a url", value.span, help=help_)
        return McpServer(**read)


_CARRIER = Fields(
    (
        Field("account", Text(), "The account's id."),
        Field("token", Text(), "The account's auth token, which signs webhooks."),
        Field("signatures", Choice(("required", "if-present", "off")), "Which requests are taken."),
        Field("stream_key", Text(), "What a stream from XML of your own must bring."),
    )
)
_SERVER = Fields(
    (
        Field("host", Text(), "The address to listen on.", default="127.0.0.1"),
        Field("port", Whole(0, 65535), "The port to listen on.", default=8080),
        Field(
            "public_url",
            Pattern(r"^(https?://[^\s/?#]+[^\s?#]*)?$", "must be an address such as https://voice.example.com"),
            "The address that carriers use, such as https://voice.example.com.",
        ),
        Field("max_calls", Whole(1, 10_000), "Calls at once; more are answered with 503.", default=200),
        Field("drain", Duration(), "How long calls may go on after SIGTERM.", default="15m"),
        Field("secret", Text(), "The key of tokens; empty: made once and kept in the store."),
    )
)
_ROUTE = Fields(
    (
        Field("to", Text(), "The called number.", required=True),
        Field("flow", Text(), "The flow that answers it.", required=True),
    )
)
_FLOWS = Fields(
    (
        Field("folder", Text(), "Where the flows are.", default="flows"),
        Field("default", Text(), "The flow of calls that name none."),
        Field("routes", ListOf(_ROUTE), "Flows by called number."),
    )
)
_SERVICE = Pattern(r"^((https?|wss?)://[^\s/?#]+[^\s#]*)?$", "must be an address such as ws://127.0.0.1:2700")
_SYNTHESIZER_FIELDS = (
    Field("use", Text(), "The provider: local, cartesia, elevenlabs, openai_speech.", default="local"),
    Field("library", Choice(("packaged", "system")), "Which espeak-ng `local` uses.", default="packaged"),
    Field("url", _SERVICE, "The address of the provider, where it is not the usual one."),
    Field("model", Text(), "The provider's name of a model."),
    Field("voice", Text(), "The provider's id of the voice that flows call default."),
    Field("key", Text(), "The provider's API key; best taken from the environment."),
)
_SYNTHESIZER = Fields(
    (*_SYNTHESIZER_FIELDS, Field("fallback", Fields(_SYNTHESIZER_FIELDS), "Who speaks when that one fails."))
)
_DETECTOR = Fields((Field("use", Text(), "The provider, or none: then no voice stops a prompt.", default="silero"),))
_TRANSCRIBER_FIELDS = (
    Field("use", Text(), "The provider: deepgram, sphinx, vosk, whisper, or none for keys alone.", default="none"),
    Field("url", _SERVICE, "The address of a server, where the provider has one."),
    Field("model", Text(), "The server's name of a model."),
    Field("key", Text(), "The server's API key; best taken from the environment."),
)
_TRANSCRIBER = Fields(
    (*_TRANSCRIBER_FIELDS, Field("fallback", Fields(_TRANSCRIBER_FIELDS), "Who understands when that one is lost."))
)
_MODEL = Fields(
    (
        Field(
            "use", Text(), "The provider: anthropic, or openai for all that speak its chat completions.", required=True
        ),
        Field(
            "url",
            Pattern(r"^(https?://[^\s/?#]+[^\s#]*)?$", "must be an address such as http://127.0.0.1:11434/v1"),
            "The address of a server, where it is not the vendor's own.",
        ),
        Field("model", Text(), "The provider's name of the model; empty: its fastest."),
        Field("key", Text(), "The API key; best taken from the environment."),
        Field("fallback", Text(), "The name of the model that answers when this one fails before its first word."),
    )
)
_PRICE = Fields(
    (
        Field("input", Decimal(0, 1e6), "For a million tokens that a model reads."),
        Field("cached", Decimal(0, 1e6), "For a million tokens that it reads from its cache."),
        Field("output", Decimal(0, 1e6), "For a million tokens that it writes."),
        Field("characters", Decimal(0, 1e6), "For a million characters that are spoken."),
        Field("minute", Decimal(0, 1e6), "For a minute of audio that is understood."),
    )
)
_MODULE = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$"
_HOST = r"^(\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?|[A-Za-z0-9_.-]+(:[0-9]{1,5}|/[0-9]{1,3})?|[0-9A-Fa-f:.]+(/[0-9]{1,3})?)$"
_TOOLS = Fields(
    (
        Field(
            "python",
            ListOf(Pattern(_MODULE, "must be the name of a module such as acme_tools")),
            "Modules whose functions flows may call, with what is below them.",
        ),
        Field(
            "hosts",
            ListOf(Pattern(_HOST, "must be a host such as api.example.com, or an address or network of your own")),
            "Hosts that HTTP tools may reach; a private address only where it is written here.",
        ),
        Field(
            "mcp",
            _MapOf(
                _McpKind(),
                "must be the name of an MCP server, without blanks and slashes",
                "must be a map from names to MCP servers",
                r"^[^/\s]+$",
            ),
            "MCP servers by the name that flows call them by.",
        ),
    )
)
_SPEECH = Fields(
    (
        Field("synthesizer", _SYNTHESIZER, "Who speaks."),
        Field("detector", _DETECTOR, "Who tells a voice from other sound."),
        Field("transcriber", _TRANSCRIBER, "Who understands what callers say."),
    )
)
_STORE = Fields(
    (
        Field("url", Pattern(r"^sqlite:///.+", "must be an address such as sqlite:///flowengine.db"), "The store."),
        Field("traces", Text(), "The folder of traces.", default="traces"),
        Field("recordings", Text(), "The folder of what `record` nodes record.", default="recordings"),
        Field("cache", Text(), "The folder of rendered prompts; default: the platform's cache folder."),
    )
)
FIELDS = (
    Field("server", _SERVER, "Where the server listens."),
    Field("flows", _FLOWS, "Which flows there are."),
    Field(
        "carriers",
        _MapOf(_CARRIER, "must be the name of a carrier", "must be a map from carriers to their settings"),
        "Accounts by carrier.",
    ),
    Field("speech", _SPEECH, "Speech."),
    Field(
        "models",
        _MapOf(_MODEL, "must be the name of a model, as flows call it", "must be a map from names to language models"),
        "Language models by the name that flows call them; the first one is the default where none is called default.",
    ),
    Field(
        "prices",
        _MapOf(
            _PRICE, "must be a provider, or a provider/model", "must be a map from providers to their prices", r"^\S+$"
        ),
        "List prices in dollars, by provider or provider/model, where they are not those that the engine knows.",
    ),
    Field("tools", _TOOLS, "What the tools of flows may reach."),
    Field("env", ListOf(Text()), "Names of the environment that flows may read as env.NAME."),
    Field("store", _STORE, "Where files go."),
)


_NO_SETTINGS = "write sections such as `server:` and `flows:`"


def settings_schema() -> Schema:
    """Give the JSON Schema (draft 2020-12) of the settings as an editor sees them: ``${NAME}`` may stand anywhere."""
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "description": "Settings of flowengine.",
    }
    return {**head, **_with_references(_filled_schema())}


def _filled_schema() -> Schema:
    """Give the schema of the settings when every reference is filled in."""
    return Fields(FIELDS, "must be settings: sections such as server and flows").schema()


def _with_references(schema: Schema) -> Schema:
    """Let a reference to the environment stand in the place of every single value."""
    kind = schema.get("type")
    if kind == "array":
        return {**schema, "items": _with_references(schema["items"])}
    if kind == "object" or "properties" in schema:
        inner = {name: _with_references(field) for name, field in schema.get("properties", {}).items()}
        rest = schema.get("additionalProperties")
        more = {"additionalProperties": _with_references(rest)} if isinstance(rest, dict) else {}
        return {**schema, **({"properties": inner} if inner else {}), **more}
    if kind is None and "enum" not in schema:
        return schema  # any text will do
    told: Schema = {key: schema[key] for key in ("description", "markdownDescription", "default") if key in schema}
    value = {key: inner for key, inner in schema.items() if key not in told}
    reference = {"if": {"type": "string", "pattern": r"\$\{"}, "else": value}
    return {**proposing(reference, *words_of(value)), **told}


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """What `check` finds in a file of settings."""

    diagnostics: tuple[Diagnostic, ...]
    lines: tuple[str, ...]
    file: str
    readable: bool


def load(file: str | None, environ: Mapping[str, str] | None = None) -> tuple[Settings | None, list[Diagnostic]]:
    """Read the settings; ``file`` None reads `flowengine.yaml` where there is one."""
    given = os.environ if environ is None else environ
    path = Path(file or FILE)
    if file is None and not path.is_file():
        return parse(str(path), b"{}", given)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EnvironmentProblem(f"{path} can not be read: {error.strerror}") from None
    return parse(str(path), data, given)


def check_file(file: str, data: bytes) -> LoadedSettings:
    """Say what is wrong with a file of settings on whatever machine: the environment is not looked at.

    A value with a ``${NAME}`` that has no default is not judged: what the server's environment gives is not known here,
    and `serve` says what it lacks. ``${NAME:-default}`` is judged by its default.
    """
    report = Report()
    document = source.read(file, data, report)
    root, unknown = document.root, Report()
    if root is not None:
        root = _filled(root, {}, unknown)
    if isinstance(root, source.Mapping):
        filled = replace(document, root=root)
        _checker().check(filled, source.to_plain(root), report)
        _checker().check_repeated(filled, report)
        Fields(FIELDS).read(root, Reading(report, document.lines))
    elif root is not None and not (isinstance(root, Scalar) and root.value is None):
        report.error("wrong-value", "these are no settings", Span(file, 1, 1, 1, 1), help=_NO_SETTINGS)
    found = tuple(d for d in report.sorted() if not unknown.has_error_in(d.span))
    return LoadedSettings(found, document.lines, file, isinstance(root, source.Mapping))


@lru_cache(maxsize=1)
def _checker() -> Checker:
    return Checker(_filled_schema(), "in the settings")


def parse(file: str, data: bytes, environ: Mapping[str, str]) -> tuple[Settings | None, list[Diagnostic]]:
    """Read settings from a text; the diagnostics say what is wrong with it."""
    report = Report()
    document = source.read(file, data, report)
    root = document.root
    if root is None or (isinstance(root, Scalar) and root.value is None):
        root = source.Mapping({}, Span(file, 1, 1, 1, 1), flow=False)
    root = _filled(root, environ, report)
    if isinstance(root, source.Mapping):
        _override(root, environ)
    document = replace(document, root=root)
    _checker().check(document, source.to_plain(root), report)
    if report.failed:
        return None, report.sorted()
    reading = Reading(report, document.lines)
    read = Fields(FIELDS).read(root, reading)
    if reading.report.failed:
        return None, report.sorted()
    names = read.get("env", ())
    settings = Settings(
        server=ServerSettings(**read.get("server", {})),
        flows=_flows(read.get("flows", {})),
        carriers={name: CarrierSettings(**fields) for name, fields in read.get("carriers", {}).items()},
        voice=_with_fallback(VoiceSettings, read.get("speech", {}).get("synthesizer", {})),
        detector=DetectorSettings(**read.get("speech", {}).get("detector", {})),
        transcriber=_with_fallback(TranscriberSettings, read.get("speech", {}).get("transcriber", {})),
        models={name: ModelSettings(**fields) for name, fields in read.get("models", {}).items()},
        prices=read.get("prices", {}),
        tools=ToolSettings(**read.get("tools", {})),
        env={name: environ[name] for name in names if name in environ},
        store=StoreSettings(**{"cache": _cache_folder(environ), **read.get("store", {})}),
    )
    return settings, report.sorted()


_One = TypeVar("_One", VoiceSettings, TranscriberSettings)


def _with_fallback(kind: type[_One], fields: Mapping[str, Any]) -> _One:
    """Read a provider's settings, and those of the one that stands behind it."""
    behind = fields.get("fallback")
    return kind(**{**fields, "fallback": kind(**behind) if behind else None})


def _cache_folder(environ: Mapping[str, str]) -> str:
    """Give the platform's cache folder for rendered prompts."""
    if sys.platform == "darwin":
        return str(Path.home() / "Library" / "Caches" / "flowengine" / "prompts")
    base = environ.get("XDG_CACHE_HOME")
    return str((Path(base) if base else Path.home() / ".cache") / "flowengine" / "prompts")


def _flows(read: Mapping[str, Any]) -> FlowSettings:
    routes = tuple(Route(**route) for route in read.get("routes", ()))
    return FlowSettings(**{**read, "routes": routes})


def _filled(value: Value, environ: Mapping[str, str], report: Report) -> Value:
    """Put the environment in the place of its references."""
    if isinstance(value, source.Sequence):
        value.items = [_filled(item, environ, report) for item in value.items]
        return value
    if isinstance(value, source.Mapping):
        value.entries = {k: Entry(e.key, _filled(e.value, environ, report)) for k, e in value.entries.items()}
        return value
    if "${" not in value.text:
        return value

    def put(match: re.Match[str]) -> str:
        name, default = match[1], match[2]
        if name not in environ and default is None:
            report.error(
                "unset-variable",
                f"the environment has no {name}",
                value.span,
                about=name,
                help=f"set it, or give a default: ${{{name}:-…}}",
            )
            return match[0]
        return environ.get(name) or default or ""

    return _given(_REFERENCE.sub(put, value.text), value.span)


def _given(text: str, span: Span) -> Scalar:
    """Make a value of what the environment gave: numbers are numbers, and nothing at all is an empty text."""
    made = source.scalar(text, span)
    return Scalar(text, text, span, plain=False) if made.value is None else made


def _override(root: source.Mapping, environ: Mapping[str, str]) -> None:
    """Let ``FLOWENGINE_SECTION__KEY`` win over the file."""
    for name, text in sorted(environ.items()):
        if not name.startswith(PREFIX) or "__" not in name:
            continue
        span = Span(name, 1, 1, 1, len(text) + 1)
        *sections, key = name.removeprefix(PREFIX).lower().split("__")
        at = root
        for section in sections:
            inner = at.get(section)
            if not isinstance(inner, source.Mapping):
                inner = source.Mapping({}, span, flow=False)
                at.entries[section] = Entry(Scalar(section, section, span, plain=True), inner)
            at = inner
        at.entries[key] = Entry(Scalar(key, key, span, plain=True), _given(text, span))


def child_environment(overrides: Mapping[str, str]) -> dict[str, str]:
    """Give the environment of a server that we start, with settings put in by ``SECTION__KEY``."""
    return {**os.environ, **{PREFIX + name: text for name, text in overrides.items()}}
