"""What stands around every view: name, clock, and the way to the other views with what waits there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from reinmaker_cli.server.inspector.markup import Html, tag
from reinmaker_cli.server.inspector.parts import breakable, duration, icon, link, number
from reinmaker_cli.server.timekeeping import Reading

TABS: Final[Mapping[str, str]] = {
    "overview": "Overview",
    "manifests": "Manifests",
    "deliveries": "Deliveries",
    "dead-letters": "Dead letters",
    "requests": "Requests",
    "limits": "Limits",
    "clock": "Clock",
    "faults": "Faults",
}
"""The views, in the order of their tabs."""


@dataclass(frozen=True, slots=True)
class View:
    """One view as it is now."""

    title: str
    body: Html
    is_detail: bool = False
    """True: there is a list to go back to."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for somebody to look at it."""

    rejected: int
    """Manifests whose newest submission was rejected."""
    open_deliveries: int
    dead_letters: int
    faults: int


def framed(name: str, view: View, reading: Reading, waiting: Waiting) -> Html:
    """Return the whole page below its shell."""
    heading = tag("h1", breakable(view.title), tabindex="-1", id="heading")
    return tag(
        "div",
        tag(
            "header",
            tag("p", icon("logo"), "reinmaker", tag("span", "local", class_="soft"), class_="name"),
            _clock(reading),
        ),
        _tabs(name, waiting),
        tag("main", _back(name) if view.is_detail else None, heading, view.body, id="main"),
        id="view",
        data_title=view.title,
        data_mode=reading.mode,
        # Where the clock passes by itself its time is no news; the page counts on from real time.
        data_now=f"{reading.now:.3f}" if reading.mode == "virtual" else None,
        data_ahead=reading.ahead_s if reading.mode == "wall" else None,
    )


def how_it_passes(reading: Reading) -> str:
    """Return in words how the clock stands to real time."""
    if reading.mode == "virtual":
        return "stands still"
    return f"{duration(reading.ahead_s)} ahead" if reading.ahead_s >= 1 else "real time"


def _clock(reading: Reading) -> Html:
    shown = tag("time", "…", id="clock", data_clock=True)
    state = tag("span", how_it_passes(reading), class_="soft")
    return tag(
        "a", tag("span", "Server's clock", class_="unseen"), icon("clock"), shown, state, href="#/clock", class_="clock"
    )


def _tabs(current: str, waiting: Waiting) -> Html:
    counts = {
        "manifests": (waiting.rejected, "rejected", True),
        "deliveries": (waiting.open_deliveries, "under way", False),
        "dead-letters": (waiting.dead_letters, "waiting", True),
        "faults": (waiting.faults, "set", False),
    }
    items = []
    for name, label in TABS.items():
        count, what, is_bad = counts.get(name, (0, "", False))
        badge = None
        if count:
            badge = tag(
                "span", " ", number(count), tag("span", f" {what}", class_="unseen"), class_=f"badge{' bad' * is_bad}"
            )
        shown = tag("a", label, badge, href=f"#/{name}", aria_current="page" if name == current else None)
        items.append(tag("li", shown))
    return tag("nav", tag("ul", items), aria_label="Views")


def _back(view: str) -> Html:
    """Return the way back to a list."""
    return tag("p", link(view, [tag("span", "← ", aria_hidden="true"), TABS[view]]), class_="back")
