"""What a tool is asked: an HTTP request from its templates, and the part of an answer that is taken."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from flowengine.flow.expressions import FORMAT, Condition, Equalities, Template
from flowengine.flow.model import Tool, walk
from flowengine.runtime.variables import value_of

_STEP = re.compile(r"([A-Za-z0-9_-]+)|\[([0-9]+)\]")


def request(tool: Tool, scope: Mapping[str, Any], args: Mapping[str, Any]) -> dict[str, Any]:
    """Give what an HTTP tool sends: `method`, `url`, `headers`, `query`, `body`; raises ``EvaluationError``.

    In the templates the arguments hide the variables of their names. Values that are put into the address are
    percent-encoded (RFC 3986), so that they can neither change its host nor its path; what the environment gives is
    trusted. Arguments that no template reads become the query of a GET, HEAD or DELETE, the JSON body of another.
    """
    # What goes to a machine is not written in the form of a language: 12.5 stays 12.5 in German.
    names = {**{name: value for name, value in scope.items() if name != FORMAT}, **args}
    rest = {name: value for name, value in args.items() if name not in _read(tool)}
    query = dict(value_of(tool.query, names))
    body = value_of(tool.body, names)
    if tool.target in ("GET", "HEAD", "DELETE"):
        query = {**rest, **query}
    elif rest:
        body = {**rest, **body} if isinstance(body, Mapping) else rest if body is None else body
    return {
        "method": tool.target,
        "url": tool.url.text(names, encode=lambda text: quote(text, safe="")) if tool.url else "",
        "headers": {name: str(value) for name, value in value_of(tool.headers, names).items()},
        "query": query,
        "body": body,
    }


def _read(tool: Tool) -> set[str]:
    """Name what the templates of a tool's request read."""
    found: set[str] = set()
    for part in walk((tool.url, tool.headers, tool.query, tool.body)):
        if isinstance(part, Template | Condition | Equalities):
            found |= {name.partition(".")[0] for name in part.names}
    return found


def taken(result: Any, path: str) -> Any:
    """Give the part of an answer at a path such as ``items[0].name``; null where there is none."""
    for name, index in _STEP.findall(path):
        if name and isinstance(result, Mapping):
            result = result.get(name)
        elif index and isinstance(result, list) and int(index) < len(result):
            result = result[int(index)]
        else:
            return None
    return result
