"""One submission of a manifest: asset by asset why it was rejected, what was checked, and its history."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from reinmaker_cli.contract import codes
from reinmaker_cli.server.inspector.assets import AssetPage, assets_of
from reinmaker_cli.server.inspector.frame import View
from reinmaker_cli.server.inspector.markup import Child, Html, group, tag
from reinmaker_cli.server.inspector.parts import (
    button,
    copyable,
    digest,
    duration,
    empty,
    facts,
    form,
    hidden,
    link,
    mark,
    moment,
    number,
    row,
    section,
    size,
    stack,
    table,
    url_text,
)
from reinmaker_cli.server.services import Services
from reinmaker_cli.server.store.records import StoredSubmission

SHOWN: Final = 100
"""Submissions and assets at a time."""

_HISTORY_HEAD: Final = ("Status", "Version", "Submitted", "Verdict after", "Found", "Content")
_CHECKS_HEAD: Final = ("Check", "Result", "Assets", "Failed", "Read from")
_ASSETS_HEAD: Final = ("Asset", "Type", "Size", "SHA-256", "URL")


async def show_submission(services: Services, manifest_id: str, submission_id: str | None) -> View:
    """Return a submission of the manifest, the newest where none is named."""
    history = await services.threads.read(services.store.history.submissions, manifest_id, limit=SHOWN)
    shown = next((one for one in history if submission_id in (None, one.submission_id)), None)
    if shown is None:
        return View("No such manifest", empty("Nothing was submitted as that here."), is_detail=True)
    validation = json.loads(shown.validation)
    page = await assets_of(services, shown, _positions(validation["errors"]), limit=SHOWN)
    body = tag(
        "div",
        _lead(shown),
        _decision(shown) if not shown.status.is_final else None,
        _rejection(validation, page) if validation["errors"] else None,
        _warnings(validation["warnings"]),
        _assets(page, shown.asset_count) if not validation["errors"] else None,
        _checks(validation["checks"]),
        section("History", table("History", _HISTORY_HEAD, [_history_row(one, shown) for one in history])),
        section("This submission", _about(shown)),
    )
    return View(manifest_id, body, is_detail=True)


def _lead(shown: StoredSubmission) -> Html:
    players = "players have no version"
    if shown.active is not None:
        players = "players have it" if shown.active.version == shown.version else f"players have {shown.active.version}"
    parts = (
        *(mark(shown.status), tag("code", shown.version), group(number(shown.asset_count), " assets"), players),
        moment(shown.updated_at),
    )
    return tag("p", [tag("span", part) for part in parts], class_="lead")


def _about(shown: StoredSubmission) -> Html:
    return facts(
        ("Submission", copyable(shown.submission_id, shown.submission_id, "submission id")),
        ("Submitted", moment(shown.submitted_at)),
        ("Manifest", size(shown.body_bytes)),
        ("Digest", digest(shown.digest)),
        ("Of its content", digest(shown.content_digest)),
        ("Trace id", link("requests", tag("code", shown.trace_id), trace=shown.trace_id)),
    )


def _decision(shown: StoredSubmission) -> Html:
    which = [hidden("manifestId", shown.manifest_id), hidden("version", shown.version)]
    accept = form("POST /_local/decide", which, hidden("status", "active"), button("Accept"), done="Accepted")
    reason = tag("label", "Reason ", tag("input", name="reason", maxlength="200", value="rejected by hand"))
    rejection = group(which, hidden("status", "rejected"), reason, button("Reject", quiet=True))
    reject = form("POST /_local/decide", rejection, done="Rejected")
    return section("Your verdict", tag("div", accept, reject, class_="forms"))


def _positions(errors: list[dict[str, Any]]) -> list[int]:
    """Return which assets the errors are about, in their order."""
    parts = [error["pointer"].split("/") for error in errors]
    found = [int(part[2]) for part in parts if part[1:2] == ["assets"] and len(part) > 2 and part[2].isdecimal()]
    return list(dict.fromkeys(found))


def _rejection(validation: dict[str, Any], page: AssetPage) -> Html:
    by_asset: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for error in validation["errors"]:
        by_asset["/".join(error["pointer"].split("/")[:3])].append(error)
    count, listed = validation["errorCount"], len(validation["errors"])
    heading = f"{count} {'reason' if count == 1 else 'reasons'} for the rejection"
    cards = [_failed_asset(pointer, errors, page) for pointer, errors in by_asset.items()]
    rest = tag("p", f"The first {listed} of {count:,}.", class_="soft") if count > listed else None
    return section(heading, cards, rest, class_="rejection")


def _failed_asset(pointer: str, errors: list[dict[str, Any]], page: AssetPage) -> Html:
    asset = page.at(pointer)
    name = errors[0].get("assetId") or pointer
    about = None if asset is None else tag("div", url_text(asset.url), _metadata(asset.metadata), class_="about")
    kind = None if asset is None else tag("span", asset.type, " · ", size(asset.bytes), class_="soft")
    head = tag("h3", mark("rejected", "fails"), tag("code", name), kind)
    cures = dict.fromkeys(codes.ALL[error["code"]].cure for error in errors if error["code"] in codes.ALL)
    todo = tag("p", tag("strong", "What to do: "), "; or ".join(cures), class_="todo") if cures else None
    return tag("article", head, about, [_reason(error) for error in errors], todo, class_="card bad")


def _reason(error: dict[str, Any]) -> Html:
    code = codes.ALL.get(error["code"])
    summary = code.summary[0].upper() + code.summary[1:] if code else error["code"]
    compared = [(word, error.get(key)) for word, key in (("Expected", "expected"), ("Found", "found"))]
    values = [(word, _evidence(error["code"], value)) for word, value in compared if value]
    return tag("div", tag("p", tag("strong", summary), ": ", error["detail"]), facts(*values), class_="why")


def _evidence(code: str, value: str) -> Child:
    """Return what was expected or found; numbers of bytes as people read them."""
    if code == codes.ASSET_BYTES and value.isdecimal():
        return group(number(int(value)), " bytes")
    return tag("code", value)


def _metadata(metadata: Mapping[str, str]) -> Html | None:
    if not metadata:
        return None
    return tag("ul", [tag("li", name, " ", tag("code", value)) for name, value in metadata.items()], class_="metadata")


def _warnings(warnings: list[dict[str, Any]]) -> Html | None:
    if not warnings:
        return None
    return section("Warnings", tag("ul", [tag("li", warning["detail"]) for warning in warnings], class_="plain"))


def _checks(checks: list[dict[str, Any]]) -> Html | None:
    if not checks:
        return None
    rows = [
        row(
            f"c-{check['name']}",
            _CHECKS_HEAD,
            (check["name"], mark(check["status"]), number(check["checked"]), number(check["failed"]), check["source"]),
        )
        for check in checks
    ]
    return section("What was checked", table("Checks", _CHECKS_HEAD, rows))


def _history_row(one: StoredSubmission, shown: StoredSubmission) -> Html:
    errors = json.loads(one.validation)["errorCount"]
    version = link("manifests", tag("code", one.version), id=one.manifest_id, submission=one.submission_id)
    took = duration(one.updated_at - one.submitted_at) if one.status in ("active", "rejected") else ""
    found = f"{errors} errors" if errors else "no errors" if one.status.is_final else ""
    cells = (mark(one.status), version, moment(one.submitted_at), took, found, digest(one.content_digest))
    return row(f"s-{one.submission_id}", _HISTORY_HEAD, cells, aria_current="true" if one is shown else None)


def _assets(page: AssetPage, count: int) -> Html:
    rows = [
        row(
            f"a-{position}",
            _ASSETS_HEAD,
            (
                stack(tag("code", one.id), _metadata(one.metadata)),
                one.type,
                size(one.bytes),
                digest(one.hash),
                url_text(one.url),
            ),
        )
        for position, one in page.assets.items()
    ]
    rest = tag("p", f"The first {len(rows)} of {count:,}.", class_="soft") if count > len(rows) else None
    return section("Assets", table("Assets", _ASSETS_HEAD, rows), rest)
