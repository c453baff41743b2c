"""Diagnostics -> the formats of other tools: GitHub's workflow commands, SARIF 2.1.0, JUnit XML."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from flowengine.flow.diagnostics import Diagnostic, Severity, Span
from flowengine.flow.explanations import EXPLANATIONS
from flowengine.flow.junit import JunitCase, document

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def github(diagnostics: Iterable[Diagnostic]) -> str:
    """Give one workflow command for each finding; GitHub shows them at the lines of a pull request."""
    return "".join(_command(d) for d in diagnostics)


def _command(d: Diagnostic) -> str:
    span = d.span
    properties = {"file": span.file, "line": span.line, "endLine": span.end_line}
    if span.line == span.end_line:
        # GitHub takes columns only for a finding inside one line.
        properties |= {"col": span.column, "endColumn": span.end_column}
    properties["title"] = d.code
    listed = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    return f"::{d.severity} {listed}::{_data(_sentence(d))}\n"


def _data(text: str) -> str:
    # The name of a file may hold bytes that are no text; no stream takes them.
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _sentence(d: Diagnostic) -> str:
    return f"{d.message} ({d.help})" if d.help else d.message


def sarif(diagnostics: Iterable[Diagnostic], sources: Mapping[str, Sequence[str]], version: str) -> str:
    """Give a SARIF 2.1.0 log of one run; ``sources``: lines by file, for the regions that fixes replace."""
    listed = list(diagnostics)
    rules = list(dict.fromkeys(d.code for d in listed))
    driver = {
        "name": "flowengine",
        "semanticVersion": version,
        "rules": [_rule(code) for code in rules],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(d, rules.index(d.code), sources.get(d.span.file, ())) for d in listed],
    }
    return json.dumps({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(code: str) -> dict[str, Any]:
    one = EXPLANATIONS.get(code)
    if one is None:  # a plugin's own
        return {"id": code}
    return {
        "id": code,
        "shortDescription": {"text": one.headline},
        "fullDescription": {"text": one.why},
        "help": {"text": one.text()},
    }


def _result(d: Diagnostic, rule: int, lines: Sequence[str]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": d.code,
        "ruleIndex": rule,
        "level": str(d.severity),
        "message": {"text": _sentence(d)},
        "locations": [{"physicalLocation": _physical(d.span)}],
    }
    if d.related:
        result["relatedLocations"] = [
            {"id": number, "message": {"text": label.message}, "physicalLocation": _physical(label.span)}
            for number, label in enumerate(d.related, 1)
        ]
    if d.fix is not None and d.span.line <= len(lines):
        width = len(lines[d.span.line - 1])
        deleted = Span(d.span.file, d.span.line, 1, d.span.line, width + 1)
        replacement = {"deletedRegion": _region(deleted), "insertedContent": {"text": d.fix}}
        change = {"artifactLocation": _artifact(d.span.file), "replacements": [replacement]}
        result["fixes"] = [{"description": {"text": d.help or d.message}, "artifactChanges": [change]}]
    return result


def _physical(span: Span) -> dict[str, Any]:
    return {"artifactLocation": _artifact(span.file), "region": _region(span)}


def _region(span: Span) -> dict[str, int]:
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }


def _artifact(file: str) -> dict[str, str]:
    path = PurePath(file)
    if path.is_absolute():
        return {"uri": "file://" + quote("/" + path.as_posix().lstrip("/"))}
    return {"uri": quote(path.as_posix()), "uriBaseId": "%SRCROOT%"}


def junit(diagnostics: Iterable[Diagnostic], files: Iterable[str]) -> str:
    """Give JUnit XML: a suite for each file, a case for each finding, one that passes for a file without any.

    A warning passes and speaks in ``system-out``, because warnings alone do not fail the command either.
    """
    by_file: dict[str, list[Diagnostic]] = {file: [] for file in files}
    for d in diagnostics:
        by_file.setdefault(d.span.file, []).append(d)
    return document("flowengine check", ((file, junit_cases(found)) for file, found in by_file.items()))


def junit_cases(found: Iterable[Diagnostic]) -> list[JunitCase]:
    """Give the findings of one file as cases; one that passes where there are none."""
    return [_case(d) for d in found] or [JunitCase("check")]


def _case(d: Diagnostic) -> JunitCase:
    title = f"{d.code} at {d.span.line}:{d.span.column}"
    text = f"{d.span.file}:{d.span.line}:{d.span.column}: {_sentence(d)}"
    if d.severity is Severity.ERROR:
        return JunitCase(title, d.span.line, (d.message, d.code, text))
    return JunitCase(title, d.span.line, output=text)
