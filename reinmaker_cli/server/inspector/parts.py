"""The pieces that every view is made of: marks, times, sizes, digests, links, forms."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from reinmaker_cli.server.clock import rfc3339
from reinmaker_cli.server.inspector.markup import Child, Html, group, tag

_UNITS_S: Final = (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1))

GOOD, BAD, OPEN, OFF = "good", "bad", "open", "off"
_MARKS: Final = {
    "active": GOOD,
    "delivered": GOOD,
    "passed": GOOD,
    "enabled": GOOD,
    "rejected": BAD,
    "dead": BAD,
    "failed": BAD,
    "disabled": BAD,
    "pending": OPEN,
    "validating": OPEN,
    "open": OPEN,
    "superseded": OFF,
    "skipped": OFF,
    "ended": OFF,
}
"""What a status is drawn as: a form of its own each, and its word beside it."""


def mark(status: str, word: str | None = None) -> Html:
    """Return a status: its drawing and its word."""
    kind = _MARKS.get(status, OFF)
    return tag("span", icon(kind), word or status, class_=f"mark {kind}")


def icon(name: str) -> Html:
    """Return a drawing of the page's own; it says nothing that is not said in words beside it."""
    return tag("svg", tag("use", href=f"#i-{name}"), class_="icon", aria_hidden="true", viewBox="0 0 16 16")


def moment(unix_s: float, today: float | None = None) -> Html:
    """Return a time of the server's clock, to the second, without the day where that is `today`."""
    when, whole = datetime.fromtimestamp(unix_s, UTC), rfc3339(unix_s)
    is_today = today is not None and datetime.fromtimestamp(today, UTC).date() == when.date()
    day = None if is_today else tag("span", when.date().isoformat() + " ", class_="day")
    return tag("time", day, when.strftime("%H:%M:%S"), datetime=whole, title=whole)


def until(unix_s: float) -> Html:
    """Return how far away a time is; the page counts."""
    return tag("span", data_until=f"{unix_s:.3f}", class_="soft")


def duration(seconds: float) -> str:
    """Return a duration in at most two parts: `2 h 5 m`."""
    whole, parts = round(seconds), []
    for unit, length in _UNITS_S:
        count, whole = divmod(whole, length)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def size(count: int | float) -> Html:
    """Return a number of bytes for people, and exactly when pointed at."""
    value, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    shown = f"{value:.0f}" if unit == "B" or value >= 100 else f"{value:.1f}"
    return tag("span", f"{shown} {unit}", title=f"{count:,} bytes", class_="number")


def number(count: int | float) -> Html:
    """Return a count, aligned with those above and below it."""
    return tag("span", f"{count:,}", class_="number")


def digest(text: str) -> Html:
    """Return a digest, shortened; whole when pointed at, and to be copied."""
    bare = text.removeprefix("sha256:")
    return copyable(bare if len(bare) <= 16 else bare[:12] + "…", text, "digest")


def copyable(shown: str, whole: str, what: str) -> Html:
    """Return a text that a button copies, in full."""
    button = tag("button", icon("copy"), type="button", data_copy=whole, aria_label=f"Copy the {what}", title="Copy")
    return tag("span", tag("code", shown, title=whole), button, class_="copyable")


def breakable(name: str) -> Html:
    """Return a name that may be broken behind its dots and hyphens."""
    parts = re.findall(r"[^.-]*[.-]?", name)
    return group([[part, tag("wbr")] for part in parts[:-2]], parts[-2] if len(parts) > 1 else None)


def command(words: str) -> Html:
    """Return a command to type."""
    return tag("span", tag("kbd", words), copy_button(words), class_="copyable command")


def copy_button(whole: str) -> Html:
    """Return the button that copies a command."""
    return tag("button", icon("copy"), type="button", data_copy=whole, aria_label=f"Copy: {whole}", title="Copy")


def link(view: str, shown: Child, **query: str | None) -> Html:
    """Return a link to a view of this page."""
    return tag("a", shown, href=place(view, **query))


def place(view: str, **query: str | None) -> str:
    """Return where a view is."""
    asked = urlencode({name: value for name, value in query.items() if value is not None})
    return f"#/{view}" + (f"?{asked}" if asked else "")


def url_text(url: str) -> Html:
    """Return a URL as text, without what may be a secret in it: its query, and a user before its host."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return tag("code", url, class_="url")
    host = parts.netloc.rpartition("@")[2]
    shown = urlunsplit((parts.scheme, host, parts.path, "…" if parts.query else "", ""))
    return tag("code", shown, class_="url")


def without_users(text: str) -> str:
    """Return JSON text in which no user is named."""
    return re.sub(r'("userId"\s*:\s*)"(?:[^"\\]|\\.)*"', r'\1"…"', text)


def stack(*children: Child) -> Html:
    """Return lines, one below the other; None is no line."""
    return tag("span", [tag("span", child) for child in children if child is not None], class_="stack")


def facts(*pairs: tuple[str, Child]) -> Html:
    """Return names and values, one below the other."""
    return tag(
        "dl", [[tag("dt", name), tag("dd", value)] for name, value in pairs if value is not None], class_="facts"
    )


def table(caption: str, head: Sequence[str], rows: Iterable[Html]) -> Html:
    """Return a table; on a narrow screen its cells stand below each other, named by `data-label`."""
    return tag(
        "table",
        tag("caption", caption, class_="unseen"),
        tag("thead", tag("tr", [tag("th", name, scope="col") for name in head])),
        tag("tbody", list(rows)),
    )


def row(key: str, head: Sequence[str], cells: Sequence[Child], **more: str | None) -> Html:
    """Return a row of a table with this head; `key` tells it from others when the page is brought up to date."""
    named = zip(head, cells, strict=True)
    return tag("tr", [tag("td", cell, data_label=name) for name, cell in named], id=key, **more)


def section(heading: str, *children: Child, **more: str) -> Html:
    """Return a part of a view."""
    return tag("section", tag("h2", heading), *children, **more)


def empty(said: str, *next_steps: Child) -> Html:
    """Return what stands where there is nothing: that, and what to do."""
    steps = [tag("p", step) for step in next_steps]
    return tag("div", tag("p", said, class_="said"), steps, class_="empty")


def form(send: str, *children: Child, done: str, **more: str) -> Html:
    """Return a form that the page sends to the control API: `send` is method and path, `done` what it says then."""
    return tag("form", *children, data_send=send, data_done=done, **more)


def hidden(name: str, value: Any) -> Html:
    """Return a value that goes along: text as it is, all else as JSON."""
    is_text = isinstance(value, str)
    return tag(
        "input",
        type="hidden",
        name=name,
        value=value if is_text else json.dumps(value),
        data_as=None if is_text else "json",
    )


def button(
    words: Child, *, name: str | None = None, value: Any = None, quiet: bool = False, label: str | None = None
) -> Html:
    """Return the button of a form, with a value of its own where it has a name."""
    style = "quiet" if quiet else None
    given = None if name is None else json.dumps(value)
    return tag(
        "button", words, type="submit", name=name, value=given, data_as=name and "json", class_=style, aria_label=label
    )
