"""Settings: defaults, the environment, mistakes with their places, and what would let strangers in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flowengine.errors import EnvironmentProblem
from flowengine.settings import (
    CarrierSettings,
    McpServer,
    ModelSettings,
    ServerSettings,
    Settings,
    ToolSettings,
    TranscriberSettings,
    VoiceSettings,
    child_environment,
    load,
    parse,
)


def read(text: str, **environ: str) -> Settings:
    settings, diagnostics = parse("flowengine.yaml", text.encode(), environ)
    assert diagnostics == []
    assert settings is not None
    return settings


def wrong(text: str, **environ: str) -> list[Any]:
    settings, diagnostics = parse("flowengine.yaml", text.encode(), environ)
    assert settings is None
    return diagnostics


@pytest.mark.parametrize("text", ["", "{}", "# nothing yet\n"])
def test_no_settings_are_needed(text: str) -> None:
    settings = read(text, XDG_CACHE_HOME="/cache")
    assert settings == replace(Settings(), store=settings.store)
    assert (settings.server.host, settings.server.port, settings.server.max_calls) == ("127.0.0.1", 8080, 200)
    assert (settings.server.drain, settings.voice.use, settings.flows.folder) == (900.0, "local", "flows")
    assert settings.public_url == "http://127.0.0.1:8080"
    assert settings.store.url == "sqlite:///flowengine.db"
    assert settings.store.cache.endswith("flowengine/prompts")
    settings.check()


def test_the_settings_of_the_manual_need_no_environment() -> None:
    """What is optional may be left out of the environment: an empty text is as good as no line."""
    text = 'server: {public_url: "${PUBLIC_URL:-}", secret: "${FLOWENGINE_SECRET:-}"}\n'
    assert read(text).server == ServerSettings()
    assert read(text, PUBLIC_URL="https://a.example").public_url == "https://a.example"
    assert read('server: {port: "${PORT:-8081}"}').server.port == 8081


WHOLE = """
server: {host: 0.0.0.0, port: 9000, public_url: "https://voice.example.com/", max_calls: 5, drain: 90s, secret: s}
flows: {folder: mine, default: front-desk, routes: [{to: "+15551234567", flow: acme}]}
carriers:
  twilio: {account: "${TWILIO_ACCOUNT_SID}", token: "${TWILIO_AUTH_TOKEN}", stream_key: "${STREAM_KEY:-none}"}
  vobiz: {token: 500025, signatures: required}
speech:
  synthesizer: {use: local, library: system, url: "https://voices.example", model: fast, voice: anna, key: "${V:-678}"}
  transcriber:
    {use: whisper, url: "http://127.0.0.1:8000/v1", model: small, key: "${WHISPER_KEY:-12345}", fallback: {use: vosk}}
models:
  help: {use: anthropic, key: "${MODEL_KEY:-67890}"}
  near: {use: openai, url: "http://127.0.0.1:11434/v1", model: small, fallback: help}
prices: {cartesia: {characters: 30}, anthropic/claude-haiku-5-5: {input: 0.2, output: 1}}
env: [AGENT_NUMBER, API, UNSET]
store: {url: "sqlite:///here/calls.db", traces: t, cache: c}
"""


def test_everything_can_be_set() -> None:
    settings = read(WHOLE, TWILIO_ACCOUNT_SID="AC1", TWILIO_AUTH_TOKEN="12345678", AGENT_NUMBER="+1555", API="x", B="y")
    assert settings.server == ServerSettings("0.0.0.0", 9000, "https://voice.example.com/", 5, 90.0, "s")  # noqa: S104
    assert settings.public_url == "https://voice.example.com"
    assert [(route.to, route.flow) for route in settings.flows.routes] == [("+15551234567", "acme")]
    # A token of digits is a text, wherever it comes from.
    assert settings.carriers["twilio"] == CarrierSettings("AC1", "12345678", "", "none")
    assert settings.carriers["vobiz"].token == "500025"
    assert settings.env == {"AGENT_NUMBER": "+1555", "API": "x"}
    assert (settings.store.url, settings.store.traces, settings.store.cache) == ("sqlite:///here/calls.db", "t", "c")
    assert settings.transcriber == TranscriberSettings(
        "whisper", "http://127.0.0.1:8000/v1", "small", "12345", TranscriberSettings("vosk")
    )
    assert "12345" not in repr(settings.transcriber)
    assert settings.models == {
        "help": ModelSettings("anthropic", key="67890"),
        "near": ModelSettings("openai", "http://127.0.0.1:11434/v1", "small", fallback="help"),
    }
    assert "67890" not in repr(settings)
    assert settings.prices["cartesia"] == {"characters": 30.0}
    assert settings.voice == VoiceSettings("local", "system", "https://voices.example", "fast", "anna", "678")
    assert "678" not in repr(settings.voice)
    settings.check()


TOOLS = """
tools:
  python: [acme_tools, shop.orders]
  hosts: [api.acme.example, "localhost:8000", 10.0.0.0/8, "::1", "[::1]:80", "${EXTRA}"]
  mcp:
    crm: {url: "https://crm.example/mcp", headers: {Authorization: "Bearer ${TOKEN}"}}
    files: {command: [npx, -y, "@acme/files"], env: {TOKEN: "${TOKEN}"}}
"""


def test_what_tools_may_reach() -> None:
    tools = read(TOOLS, EXTRA="b.example", TOKEN="t").tools
    assert tools.python == ("acme_tools", "shop.orders")
    assert tools.hosts == ("api.acme.example", "localhost:8000", "10.0.0.0/8", "::1", "[::1]:80", "b.example")
    assert tools.mcp == {
        "crm": McpServer(url="https://crm.example/mcp", headers={"Authorization": "Bearer t"}),
        "files": McpServer(command=("npx", "-y", "@acme/files"), env={"TOKEN": "t"}),
    }
    assert read("").tools == ToolSettings()


REFERENCES = [
    ('"${A}"', {"A": "x"}, "x"),
    ("${A}", {"A": "x"}, "x"),
    ('"${A:-d}"', {}, "d"),
    ('"${A:-d}"', {"A": "x"}, "x"),
    ('"${A:-d}"', {"A": ""}, "d"),
    ('"${A:-}"', {}, ""),
    ('"${A}-${B:-b}"', {"A": "1"}, "1-b"),
    ('"$A {A} $"', {}, "$A {A} $"),
    ('"${A}"', {"A": "007"}, "007"),
    ('"${A}"', {"A": "1e5"}, "1e5"),
    ('"${A}"', {"A": "null"}, "null"),
    ('"${A}"', {"A": "true"}, "true"),
    ('"${A}"', {"A": "a: [b"}, "a: [b"),
    ('"${A}"', {"A": "${B}"}, "${B}"),
]


@pytest.mark.parametrize(("text", "environ", "expected"), REFERENCES)
def test_references_to_the_environment(text: str, environ: dict[str, str], expected: str) -> None:
    assert read(f"server:\n  secret: {text}\n", **environ).server.secret == expected


def test_an_unset_variable_is_told_with_its_place_and_remedy() -> None:
    (found,) = wrong('server:\n  secret: "${NOWHERE}"\n')
    assert (found.code, found.about, found.span.line, found.span.column) == ("unset-variable", "NOWHERE", 2, 11)
    assert "${NOWHERE:-" in found.help


OVERRIDES = [
    ({"FLOWENGINE_SERVER__PORT": "9001"}, lambda s: s.server.port, 9001),
    ({"FLOWENGINE_SERVER__HOST": "::1"}, lambda s: s.server.host, "::1"),
    ({"FLOWENGINE_SERVER__DRAIN": "2m"}, lambda s: s.server.drain, 120.0),
    ({"FLOWENGINE_FLOWS__DEFAULT": "other"}, lambda s: s.flows.default, "other"),
    ({"FLOWENGINE_CARRIERS__TWILIO__TOKEN": "0123"}, lambda s: s.carriers["twilio"].token, "0123"),
    ({"FLOWENGINE_CARRIERS__VOBIZ__SIGNATURES": "off"}, lambda s: s.carriers["vobiz"].signatures, "off"),
    ({"FLOWENGINE_SPEECH__SYNTHESIZER__LIBRARY": "system"}, lambda s: s.voice.library, "system"),
    ({"FLOWENGINE_SPEECH__SYNTHESIZER__KEY": "0123"}, lambda s: s.voice.key, "0123"),
    ({"FLOWENGINE_SPEECH__TRANSCRIBER__USE": "vosk"}, lambda s: s.transcriber.use, "vosk"),
    ({"FLOWENGINE_MODELS__HELP__USE": "anthropic"}, lambda s: s.models["help"].use, "anthropic"),
    ({"FLOWENGINE_SPEECH__TRANSCRIBER__KEY": "0123"}, lambda s: s.transcriber.key, "0123"),
    ({"FLOWENGINE_STORE__TRACES": ""}, lambda s: s.store.traces, ""),
    # Not a setting of ours: no section.
    ({"FLOWENGINE_SECRET": "x"}, lambda s: s.server.secret, "file"),
]


@pytest.mark.parametrize(("environ", "look", "expected"), OVERRIDES)
def test_the_environment_goes_before_the_file(environ: dict[str, str], look: Any, expected: Any) -> None:
    text = "server: {port: 1, secret: file}\ncarriers: {twilio: {token: file, account: kept}}\n"
    settings = read(text, **environ)
    assert look(settings) == expected
    assert settings.carriers["twilio"].account == "kept"


MISTAKES = [
    # text, environment, code, about, line, column, in help or message
    ("server: {prot: 1}", {}, "unknown-field", "prot", 1, 10, "port"),
    ("sever: {port: 1}", {}, "unknown-field", "sever", 1, 1, "server"),
    ("carriers: {twilio: {tokn: x}}", {}, "unknown-field", "tokn", 1, 21, "token"),
    ("flows:\n  routes: [{to: '+1', flw: a}]", {}, "unknown-field", "flw", 2, 23, "flow"),
    ("server: {port: many}", {}, None, "many", 1, 16, ""),
    ("server: {port: 70000}", {}, None, "70000", 1, 16, ""),
    ("server: {max_calls: 0}", {}, None, "0", 1, 21, ""),
    ("server: {drain: soon}", {}, None, "soon", 1, 17, ""),
    ("server: 5", {}, None, "5", 1, 9, ""),
    ("server:\n  public_url: voice.example.com", {}, None, "voice.example.com", 2, 15, "https://"),
    ("carriers:\n  twilio: {signatures: maybe}", {}, None, "maybe", 2, 24, "required"),
    ("store: {url: 'postgres://x'}", {}, None, "postgres://x", 1, 14, "sqlite:///"),
    ("speech: {transcriber: {url: localhost:2700}}", {}, None, "localhost:2700", 1, 29, "ws://"),
    ("speech: {transcriber: {usee: vosk}}", {}, "unknown-field", "usee", 1, 24, "use"),
    ("models: {help: {key: x}}", {}, None, None, 1, None, "use"),
    ("models: {help: {use: anthropic, url: 'ws://a'}}", {}, None, "ws://a", 1, 38, "http://"),
    ("models: [anthropic]", {}, "wrong-value", "models", 1, 1, ""),
    ("env: AGENT", {}, None, "AGENT", 1, 6, ""),
    ("tools: {host: [a]}", {}, "unknown-field", "host", 1, 9, "hosts"),
    ("tools: {hosts: a.example}", {}, None, "a.example", 1, 16, "list"),
    ("tools: {hosts: ['https://a.example']}", {}, None, "https://a.example", 1, 17, "a host"),
    ("tools: {hosts: [a.example/x]}", {}, None, "a.example/x", 1, 17, "a host"),
    ("tools: {python: ['shop:book']}", {}, None, "shop:book", 1, 18, "a module"),
    ("tools: {mcp: {crm: x}}", {}, None, "x", 1, 20, "command"),
    ("tools: {mcp: {crm: {command: []}}}", {}, None, "command", 1, 21, ""),
    ("tools: {mcp: {crm: {url: crm.example}}}", {}, None, "crm.example", 1, 26, "https://"),
    ("tools: {mcp: {crm: {}}}", {}, "wrong-value", "", 1, 20, "`command`"),
    ("tools: {mcp: {crm: {url: 'http://a', command: [b]}}}", {}, "wrong-value", "", 1, 20, "`command`"),
    ("tools: {mcp: {crm: {url: 'http://a', env: {A: b}}}}", {}, "wrong-value", "", 1, 20, "`command`"),
    ("- a", {}, None, None, 1, 1, ""),
    ("server: {port: 1", {}, None, None, 1, None, ""),
    ("{}", {"FLOWENGINE_SERVER__PORT": "many"}, None, "many", 1, 1, ""),
    ("{}", {"FLOWENGINE_SERVER__PROT": "1"}, "unknown-field", None, 1, 1, "port"),
]


@pytest.mark.parametrize(("text", "environ", "code", "about", "line", "column", "says"), MISTAKES)
def test_mistakes_have_a_place(
    text: str, environ: dict[str, str], code: str | None, about: str | None, line: int, column: int | None, says: str
) -> None:
    found = wrong(text, **environ)
    assert len(found) == 1
    one = found[0]
    assert code is None or one.code == code
    assert about is None or one.about == about
    assert one.span.line == line
    assert column is None or one.span.column == column
    assert says in one.help + one.message
    assert one.span.file == (next(iter(environ)) if environ else "flowengine.yaml")


PUBLIC = [
    (ServerSettings(), "http://127.0.0.1:8080"),
    (ServerSettings("localhost", 80), "http://localhost:80"),
    (ServerSettings("::1", 8080), "http://[::1]:8080"),
    (ServerSettings("127.9.9.9", 1), "http://127.9.9.9:1"),
    (ServerSettings("0.0.0.0", 1, "https://a.example/x/"), "https://a.example/x"),  # noqa: S104
    (ServerSettings("0.0.0.0", 1), None),  # noqa: S104
    (ServerSettings("::", 1), None),
    (ServerSettings("10.0.0.1", 1), None),
    (ServerSettings("voice.example.com", 1), None),
]


@pytest.mark.parametrize(("server", "expected"), PUBLIC)
def test_the_public_address(server: ServerSettings, expected: str | None) -> None:
    settings = Settings(server=server, carriers={"twilio": CarrierSettings("", "t")})
    if expected is not None:
        assert settings.public_url == expected
        settings.check()
    else:
        with pytest.raises(EnvironmentProblem, match="public_url"):
            settings.check()


PUBLIC_URL = "https://voice.example.com"
DOORS = [
    # host, carriers, what is wrong (None: nothing)
    ("127.0.0.1", {}, None),
    ("127.0.0.1", {"twilio": CarrierSettings()}, None),
    ("127.0.0.1", {"twilio": CarrierSettings(signatures="off")}, None),
    ("127.0.0.1", {"twilio": CarrierSettings(signatures="required")}, "carriers.twilio.token"),
    ("0.0.0.0", {}, "no carrier"),  # noqa: S104
    ("0.0.0.0", {"twilio": CarrierSettings()}, "carriers.twilio.token"),  # noqa: S104
    ("0.0.0.0", {"twilio": CarrierSettings(token="t")}, None),  # noqa: S104
    ("0.0.0.0", {"twilio": CarrierSettings(token="t", signatures="if-present")}, None),  # noqa: S104
    ("0.0.0.0", {"twilio": CarrierSettings(token="t", signatures="off")}, "carriers.twilio.signatures"),  # noqa: S104
    ("0.0.0.0", {"twilio": CarrierSettings(token="t"), "vobiz": CarrierSettings()}, "carriers.vobiz.token"),  # noqa: S104
]


@pytest.mark.parametrize(("host", "carriers", "problem"), DOORS)
def test_what_would_let_strangers_in_is_refused(
    host: str, carriers: dict[str, CarrierSettings], problem: str | None
) -> None:
    settings = Settings(server=ServerSettings(host, public_url=PUBLIC_URL), carriers=carriers)
    if problem is None:
        settings.check()
    else:
        with pytest.raises(EnvironmentProblem) as caught:
            settings.check()
        assert problem in str(caught.value)


def test_the_policy_for_signatures_is_that_of_the_place() -> None:
    here = Settings()
    there = Settings(server=ServerSettings("0.0.0.0", public_url=PUBLIC_URL))  # noqa: S104
    assert (here.carrier("twilio").signatures, there.carrier("twilio").signatures) == ("if-present", "required")


def test_a_file_is_read_from_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("server: {port: 1234}\n", encoding="utf-8")
    settings, diagnostics = load(str(path), {})
    assert (settings and settings.server.port, diagnostics) == (1234, [])
    with pytest.raises(EnvironmentProblem, match="can not be read"):
        load(str(tmp_path / "nowhere.yaml"), {})


def test_a_server_that_we_start_gets_its_settings_by_the_environment() -> None:
    environ = child_environment({"SERVER__PORT": "7"})
    settings, _ = parse("x.yaml", b"{}", {k: v for k, v in environ.items() if k.startswith("FLOWENGINE_SERVER")})
    assert settings is not None
    assert settings.server.port == 7
