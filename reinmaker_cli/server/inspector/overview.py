"""The first view: how much there is, what wants to be looked at, and the last requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reinmaker_cli.server.inspector.clock import clock_buttons
from reinmaker_cli.server.inspector.frame import View
from reinmaker_cli.server.inspector.manifests import manifest_table, nothing_published
from reinmaker_cli.server.inspector.markup import Child, Html, tag
from reinmaker_cli.server.inspector.parts import link, mark, moment, number, section, until
from reinmaker_cli.server.inspector.requests import request_table
from reinmaker_cli.server.services import Services

_LATEST: Final = 8


async def show_overview(services: Services, _query: Mapping[str, str]) -> View:
    """Return what there is to know at one glance."""
    read, store = services.threads.read, services.store
    by_status = await read(store.history.by_status)
    delivered, dead = await read(store.effects.totals)
    outbox = await read(store.delivery_log.state)
    due = await services.deliveries.next_due()
    manifests = await read(store.history.manifests, limit=_LATEST)
    entries = (await services.journal.look(lambda entry: True, after=None, limit=_LATEST)).entries
    is_open = by_status.get("pending", 0) + by_status.get("validating", 0)
    figures = tag(
        "ul",
        _figure(
            "manifests",
            "Manifests",
            sum(by_status.values()),
            ("active", by_status.get("active", 0)),
            ("open", is_open),
            ("rejected", by_status.get("rejected", 0)),
        ),
        _figure(
            "deliveries",
            "Deliveries",
            delivered + dead + outbox.depth,
            ("delivered", delivered),
            ("open", outbox.depth),
            ("dead", dead),
        ),
        _next(due),
        class_="figures",
    )
    latest = manifest_table(manifests) if manifests else nothing_published()
    return View(
        "Overview",
        tag(
            "div",
            figures,
            section("Manifests that changed last", latest),
            section("Last requests", await request_table(services, entries)),
        ),
    )


def _figure(view: str, heading: str, total: int, *parts: tuple[str, int]) -> Html:
    shown = [tag("li", mark(status), " ", number(count)) for status, count in parts if count]
    return tag(
        "li", tag("h2", link(view, heading)), tag("p", number(total), class_="large"), tag("ul", shown, class_="parts")
    )


def _next(due: float | None) -> Html:
    """Return when something happens by itself, and the buttons that bring it about."""
    when: Child = tag("p", "no delivery waits", class_="soft")
    if due is not None:
        when = tag("p", moment(due), " ", until(due))
    return tag("li", tag("h2", link("clock", "Next retry")), when, clock_buttons())
