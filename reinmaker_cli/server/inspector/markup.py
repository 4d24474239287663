"""HTML in which every text is escaped: only `tag` makes `Html`, and everything else in it counts as text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Final


@dataclass(frozen=True, slots=True)
class Html:
    """Markup, and whatever text is in it is escaped by now."""

    text: str


Child = Html | str | int | float | None | Iterable["Child"]
"""What an element may hold; None is nothing."""
Attribute = str | int | float | bool | None
"""True: the attribute is there without a value; None and False: it is not there."""

_EMPTY: Final = frozenset({"input", "wbr"})
"""Elements of HTML that have no end."""
_NAME: Final = re.compile(r"[a-z][a-z0-9-]*", re.IGNORECASE)
_OWN: Final = re.compile(r"#[/a-z]|/(?!/)")
"""Where links may lead: a view of the page, or a path of this server. A URL that somebody sent is never a link."""


def tag(name: str, /, *children: Child, **attributes: Attribute) -> Html:
    """Return an element; `class_` is `class`, `data_send` is `data-send`."""
    written = "".join(_attribute(key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items())
    return Html(f"<{name}{written}>" if name in _EMPTY else f"<{name}{written}>{_written(children)}</{name}>")


def group(*children: Child) -> Html:
    """Return all of it, one after the other, as one."""
    return Html(_written(children))


def _attribute(name: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    if not _NAME.fullmatch(name) or name.startswith("on") or name == "style":
        raise ValueError(f"no attribute for this page: `{name}`")
    if name == "href" and not _OWN.match(str(value)):
        raise ValueError("a link that leads away from this page")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'


def _written(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child.text
    if isinstance(child, str | int | float):
        return escape(str(child))
    return "".join(_written(one) for one in child)
