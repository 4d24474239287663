"""Limits: what each client may send, what it has sent in the window that ends now, and giving it more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reinmaker_cli.server.inspector.frame import View
from reinmaker_cli.server.inspector.markup import Child, Html, tag
from reinmaker_cli.server.inspector.parts import button, command, form, number, row, stack, table
from reinmaker_cli.server.limits import MAX_QUOTA, POLICIES, TOKENS, Policy
from reinmaker_cli.server.services import Services
from reinmaker_cli.server.store.clients import StoredClient

_HEAD: Final = ("Policy", "In the last minute", "Left", "Limit", "Change it")
_MEANINGS: Final = {
    "default": "all other requests",
    "manifests": "submitting manifests",
    "tokens": "asking for tokens, counted by address",
}


async def show_limits(services: Services, _query: Mapping[str, str]) -> View:
    """Return every client with its limits."""
    clients = await services.threads.read(services.store.clients.all)
    hint = tag(
        "p",
        "Another client, with limits of its own: ",
        command("reinmaker local client add --name tests --limit default=600"),
        class_="soft",
    )
    off = None
    if not services.limits.is_on:
        off = tag("p", "This server counts nothing: it was started with ", tag("kbd", "--limits off"), ".")
    return View("Limits", tag("div", off, [_client(one, services) for one in clients], hint))


def _client(client: StoredClient, services: Services) -> Html:
    name = client.name or "without a name"
    scopes = tag("ul", [tag("li", tag("code", scope)) for scope in client.scopes], class_="metadata")
    rows = [_policy_row(client, policy, services) for policy in POLICIES.values()]
    heading = tag("h2", name, " ", tag("code", client.client_id, class_="soft"))
    return tag("section", heading, scopes, table(f"Limits of {name}", _HEAD, rows), id=f"l-{client.client_id}")


def _policy_row(client: StoredClient, policy: Policy, services: Services) -> Html:
    quota = services.limits.quota(client.client_id, policy)
    used = None if policy is TOKENS else services.limits.used(policy, client.client_id)
    bar: Child = "–"
    if used is not None:
        label = f"{used} of {quota} requests"
        bar = tag(
            "span",
            number(used),
            tag("meter", value=used, min=0, max=quota, high=quota * 0.8, optimum=0, aria_label=label),
            class_="bar",
        )
    own = tag(
        "input", type="number", name=f"limits.{policy.name}", value=quota, min=1, max=MAX_QUOTA, required=True,
        data_as="json", aria_label=f"Limit of {policy.name} for {client.client_id}",
    )  # fmt: skip
    change = form(
        f"POST /_local/clients/{client.client_id}/limits",
        own,
        button("Set", quiet=True),
        done="The limit was set",
        class_="inline",
    )
    name = stack(policy.name, tag("span", _MEANINGS[policy.name], class_="soft"))
    left: Child = "–" if used is None else number(max(0, quota - used))
    cells = (name, bar, left, tag("span", number(quota), f" in {policy.window_s} s"), change)
    return row(f"l-{client.client_id}-{policy.name}", _HEAD, cells)
