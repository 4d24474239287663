"""The server's clock: what it shows, what becomes due next, and moving it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reinmaker_cli.server.clock import rfc3339
from reinmaker_cli.server.inspector.frame import View, how_it_passes
from reinmaker_cli.server.inspector.markup import Html, tag
from reinmaker_cli.server.inspector.parts import button, command, facts, form, hidden, moment, section, until
from reinmaker_cli.server.services import Services

SEND: Final = "POST /_local/clock"
STEPS: Final = (("30 s", 30), ("10 m", 600), ("1 h", 3600), ("8 h", 28_800), ("1 d", 86_400))
_MEANINGS: Final = (
    ("15 m", 900, "every token ends"),
    ("8 h", 28_800, "every retry of a delivery, until it is a dead letter"),
    ("60 d", 5_184_000, "webhook secrets rotate; the development client's is renewed at the next start"),
    ("90 d", 7_776_000, "client secrets are refused, signing keys are replaced"),
)


def clock_buttons() -> Html:
    """Return the buttons that let time pass."""
    steps = [
        button(f"+{words}", name="advanceSeconds", value=seconds, label=f"+{words}, advance the clock")
        for words, seconds in STEPS
    ]
    return form(SEND, tag("span", "Advance", class_="soft"), steps, done="The clock was moved", class_="steps")


async def show_clock(services: Services, _query: Mapping[str, str]) -> View:
    """Return the clock."""
    reading, due = services.timekeeper.look(), await services.deliveries.next_due()
    next_one = None
    if due is not None:
        go = form(
            SEND, hidden("time", rfc3339(due + 0.001)), button("Go there"), done="The clock was moved", class_="inline"
        )
        next_one = tag("span", moment(due), " ", until(due), " ", go)
    own = tag(
        "label",
        "By ",
        tag(
            "input",
            name="advanceSeconds",
            data_as="duration",
            size="8",
            placeholder="1h30m",
            required=True,
            pattern=r"([0-9]+[smhdw])+",
        ),
    )
    to = tag("label", "To ", tag("input", name="time", size="22", placeholder="2027-01-01T07:00:00Z", required=True))
    meanings = [(words, what) for words, _, what in _MEANINGS]
    body = tag(
        "div",
        facts(
            ("Shows", tag("time", "…", data_clock=True, class_="large number")),
            ("How it passes", how_it_passes(reading)),
            ("Next retry", next_one or "nothing: no delivery waits to be tried again"),
        ),
        section(
            "Move it",
            clock_buttons(),
            tag(
                "div",
                form(SEND, own, button("Advance"), done="The clock was moved"),
                form(SEND, to, button("Set"), done="The clock was moved"),
                class_="forms",
            ),
            tag(
                "p",
                "Forward only. What is due on the way happens at its own time. On the command line: ",
                command("reinmaker local clock advance 8h"),
                class_="soft",
            ),
        ),
        section("What passes then", facts(*meanings)),
    )
    return View("Clock", body)
