"""Elements to escaped text.

A single unescaped ``&`` costs a call: Vobiz accepts the answer with 200 and drops the call a second later with "Invalid
Answer XML" (https://www.vobiz.ai/docs/integrations/gemini-live).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

# Everything outside of the Char production of XML 1.0 (https://www.w3.org/TR/xml/#charsets); no escape can express it.
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Element:
    """One element; attributes that are None are left out, children are elements or text."""

    name: str
    attributes: Mapping[str, str | None] = field(default_factory=dict)
    children: tuple[Element | str, ...] = ()


def document(root: Element) -> str:
    """Return the document with its declaration. Every value is escaped; characters that XML forbids are dropped."""
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + _render(root) + "\n"


def _render(node: Element | str) -> str:
    if isinstance(node, str):
        return escape(_ILLEGAL.sub("", node))
    attributes = "".join(
        f" {name}={quoteattr(_ILLEGAL.sub('', value))}" for name, value in node.attributes.items() if value is not None
    )
    if not node.children:
        return f"<{node.name}{attributes}/>"
    return f"<{node.name}{attributes}>{''.join(map(_render, node.children))}</{node.name}>"
