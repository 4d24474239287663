"""Faults: those that are set, common ones to set, and any other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from reinmaker_cli.contract.faults import KINDS, FaultKind
from reinmaker_cli.server.faults import FaultState
from reinmaker_cli.server.inspector.frame import View
from reinmaker_cli.server.inspector.markup import Html, group, tag
from reinmaker_cli.server.inspector.parts import (
    button,
    command,
    empty,
    form,
    hidden,
    mark,
    moment,
    number,
    row,
    section,
    stack,
    table,
    until,
)
from reinmaker_cli.server.routes.documents import openapi_json
from reinmaker_cli.server.services import Services

_HEAD: Final = ("Fault", "Strikes", "Struck", "Left", "Ends", "End it")


@dataclass(frozen=True, slots=True)
class Common:
    """A fault that many ask for."""

    name: str
    kind: FaultKind
    what: str
    settings: Mapping[str, Any] = field(default_factory=dict)


_A_MINUTE: Final = {"times": None, "forSeconds": 60}
_A_DAY_S: Final = 86_400

COMMON: Final = (
    Common(
        *("Lost answer", FaultKind.LOST_ANSWER, "The next submission is made, its answer is lost."),
        {"match": {"operation": "submitManifest"}},
    ),
    Common("Outage", FaultKind.FAILURE, "503 to every request, for one minute.", {"status": 503, **_A_MINUTE}),
    Common("Told to wait", FaultKind.LIMITED, "429 to the next three requests.", {"times": 3}),
    Common(
        *("Slow", FaultKind.LATENCY, "Every request waits two seconds, for one minute."),
        {"delaySeconds": 2, **_A_MINUTE},
    ),
    Common("Expired token", FaultKind.EXPIRED_TOKEN, "The next request is told that its token has ended."),
    Common("Broken connection", FaultKind.RESET, "The next request finds its connection reset."),
    Common(
        *("Receiver is away", FaultKind.DNS, "The next two deliveries find no such host."),
        {"times": 2, "forSeconds": _A_DAY_S},
    ),
    Common(
        *("Receiver is silent", FaultKind.TIMEOUT, "No delivery is answered, for a day; after six tries it is dead."),
        {"times": None, "forSeconds": _A_DAY_S},
    ),
)
"""Each with one button."""


async def show_faults(services: Services, _query: Mapping[str, str]) -> View:
    """Return the faults that have not ended, and what can be set."""
    found = await services.fault_keeping.all()
    operations = await services.threads.examine(_operations)
    body = tag(
        "div",
        _list(found)
        if found
        else empty(
            "Nothing is set to go wrong.",
            "Set one of these; each ends by itself, and nothing under /_local/ is ever struck.",
        ),
        section("Common ones", tag("ul", [_common(one) for one in COMMON], class_="cards")),
        section(
            "Any other",
            _any(operations),
            tag("p", "With every setting: ", command("reinmaker local fault add --help"), class_="soft"),
        ),
    )
    return View("Faults", body)


def _list(found: list[FaultState]) -> Html:
    clear = form("DELETE /_local/faults", button("End all"), done="All have ended")
    return tag("div", table("Faults", _HEAD, [_row(one) for one in found]), tag("div", clear, class_="tools"))


def _row(one: FaultState) -> Html:
    rule, facts = one.rule, KINDS[one.rule.kind]
    name = stack(tag("strong", rule.kind.value), tag("span", facts.meaning, class_="soft"))
    left = mark("ended", "spent") if one.left == 0 else "until it ends" if one.left is None else number(one.left)
    end = form(
        f"DELETE /_local/faults/{one.fault_id}",
        button("End", quiet=True, label=f"End {rule.kind.value}, {one.fault_id}"),
        done="It has ended",
    )
    ends = stack(moment(one.ends_at), until(one.ends_at))
    return row(f"f-{one.fault_id}", _HEAD, (name, _strikes(one), number(one.hits), left, ends, end))


def _strikes(one: FaultState) -> Html:
    """Return in words which requests or deliveries a fault is for."""
    match, what = one.rule.match, "deliveries" if KINDS[one.rule.kind].of_deliveries else "requests"
    place = match.operation or " ".join(part for part in (match.method, match.path) if part)
    given = [place, match.client_id, match.url, match.event_type]
    named = [tag("code", text) for text in given if text]
    chance = f", {one.rule.probability:.0%} of them" if one.rule.probability < 1 else ""
    return tag("span", named or f"all {what}", chance)


def _common(one: Common) -> Html:
    values = group(hidden("kind", one.kind.value), [hidden(name, value) for name, value in one.settings.items()])
    send = form("POST /_local/faults", values, button("Set", label=f"Set: {one.name}"), done=f"Set: {one.name}")
    return tag("li", tag("h3", one.name), tag("p", one.what, class_="soft"), send, class_="card")


def _any(operations: list[str]) -> Html:
    def options(of_deliveries: bool) -> list[Html]:
        return [
            tag("option", f"{kind.value}: {facts.meaning}", value=kind.value)
            for kind, facts in KINDS.items()
            if facts.of_deliveries is of_deliveries
        ]

    kinds = [tag("optgroup", options(False), label="Requests"), tag("optgroup", options(True), label="Deliveries")]
    places = group(tag("option", "any", value=""), [tag("option", name, value=name) for name in operations])
    return form(
        "POST /_local/faults",
        tag("label", "What goes wrong ", tag("select", kinds, name="kind")),
        tag("label", "Operation ", tag("select", places, name="match.operation")),
        tag(
            "label",
            "How often ",
            tag("input", type="number", name="times", value=1, min=1, max=1_000_000, data_as="json"),
        ),
        tag(
            "label",
            "For ",
            tag("input", name="forSeconds", value="5m", data_as="duration", size="6", pattern="([0-9]+[smhdw])+"),
        ),
        button("Set"),
        done="The fault is set",
        class_="grid",
    )


def _operations() -> list[str]:
    """Return the operations of the API, by their ids."""
    paths = json.loads(openapi_json())["paths"].values()
    found = [one for methods in paths for one in methods.values() if isinstance(one, dict)]
    return [one["operationId"] for one in found if "operationId" in one]
