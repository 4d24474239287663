"""The views by name, and one of them with all that stands around it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from reinmaker_cli.server.inspector.clock import show_clock
from reinmaker_cli.server.inspector.deliveries import show_dead_letters, show_deliveries
from reinmaker_cli.server.inspector.faults import show_faults
from reinmaker_cli.server.inspector.frame import View, Waiting, framed
from reinmaker_cli.server.inspector.limits import show_limits
from reinmaker_cli.server.inspector.manifests import show_manifests
from reinmaker_cli.server.inspector.overview import show_overview
from reinmaker_cli.server.inspector.requests import show_requests
from reinmaker_cli.server.services import Services

Show = Callable[[Services, Mapping[str, str]], Awaitable[View]]

VIEWS: Final[Mapping[str, Show]] = {
    "overview": show_overview,
    "manifests": show_manifests,
    "deliveries": show_deliveries,
    "dead-letters": show_dead_letters,
    "requests": show_requests,
    "limits": show_limits,
    "clock": show_clock,
    "faults": show_faults,
}


async def render(name: str, show: Show, services: Services, query: Mapping[str, str]) -> str:
    """Return a view as HTML, as it is now."""
    view = await show(services, query)
    by_status = await services.threads.read(services.store.history.by_status)
    outbox = await services.threads.read(services.store.delivery_log.state)
    waiting = Waiting(
        rejected=by_status.get("rejected", 0),
        open_deliveries=outbox.depth,
        dead_letters=outbox.dead_letters,
        faults=len(services.faults.all()),
    )
    return framed(name, view, services.timekeeper.look(), waiting).text
