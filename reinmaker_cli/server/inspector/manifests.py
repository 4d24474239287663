"""Manifests: which there are, and what became of each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from reinmaker_cli.server.inspector.frame import View
from reinmaker_cli.server.inspector.markup import Html, group, tag
from reinmaker_cli.server.inspector.parts import command, empty, link, mark, moment, number, row, stack, table
from reinmaker_cli.server.inspector.submission import show_submission
from reinmaker_cli.server.services import Services
from reinmaker_cli.server.store.records import StoredSubmission

SHOWN: Final = 100
"""Manifests at a time."""

_HEAD: Final = ("Status", "Manifest", "Version", "Assets", "Updated")


async def show_manifests(services: Services, query: Mapping[str, str]) -> View:
    """Return the list, or the manifest that `id` names, as `submission` found it."""
    if "id" in query:
        return await show_submission(services, query["id"], query.get("submission"))
    found = await services.threads.read(services.store.history.manifests, limit=SHOWN)
    if not found:
        return View("Manifests", nothing_published())
    more = tag("p", f"The {SHOWN} that changed last. All: ", command("reinmaker list"), class_="soft")
    return View("Manifests", tag("div", manifest_table(found), more if len(found) == SHOWN else None))


def nothing_published() -> Html:
    """Return what stands where no manifest was submitted."""
    return empty(
        "Nothing was published here yet.",
        group("In a lesson's folder: ", command("reinmaker publish")),
        group("With the lesson that comes along: ", command("reinmaker publish examples/first-lesson")),
    )


def manifest_table(found: tuple[StoredSubmission, ...]) -> Html:
    """Return manifests, each with where its newest submission stands and the first reason against it."""
    return table("Manifests", _HEAD, [_manifest_row(one) for one in found])


def _manifest_row(one: StoredSubmission) -> Html:
    reason = _first_reason(one) if one.status == "rejected" else None
    name = stack(link("manifests", tag("code", one.manifest_id), id=one.manifest_id), reason)
    active = None
    if one.active is not None and one.active.version != one.version:
        active = tag("span", f"active: {one.active.version}", class_="soft")
    version = stack(tag("code", one.version), active)
    cells = (mark(one.status), name, version, number(one.asset_count), moment(one.updated_at))
    return row(f"m-{one.submission_id}", _HEAD, cells)


def _first_reason(one: StoredSubmission) -> Html | None:
    validation = json.loads(one.validation)
    if not validation["errors"]:
        return None
    first, others = validation["errors"][0], validation["errorCount"] - 1
    asset = group(tag("code", first["assetId"]), ": ") if first.get("assetId") else None
    more = f", and {others} more" if others else None
    return tag("span", asset, first["detail"], more, class_="reason")
