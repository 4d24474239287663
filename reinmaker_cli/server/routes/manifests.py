"""`/v1/content/manifests`: submit one, ask where one stands, list them."""

from __future__ import annotations

import base64
import binascii
import functools
import secrets
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from reinmaker_cli.contract import codes, names
from reinmaker_cli.server.intake import Manifest, Refused, examine_manifest
from reinmaker_cli.server.limits import MANIFESTS
from reinmaker_cli.server.problems import ApiProblem
from reinmaker_cli.server.routes.edge import trace_id
from reinmaker_cli.server.routes.preferences import is_known, preferred_wait, waited
from reinmaker_cli.server.routes.resource import Resource, needs_scope
from reinmaker_cli.server.routes.submission_json import (
    Represented,
    encoded,
    represented,
    version_document,
    with_manifest,
)
from reinmaker_cli.server.services import Services
from reinmaker_cli.server.store.records import (
    Created,
    NewSubmission,
    NotNewer,
    Replayed,
    StoredSubmission,
    VersionTaken,
)

RETRY_AFTER_S = 1
PAGE_LIMIT = 1000


def manifest_resources() -> list[Resource]:
    """Return the paths of the manifests."""
    guard = needs_scope(names.Scope.CONTENT_WRITE, post=MANIFESTS)
    return [
        Resource(names.MANIFESTS_PATH, {"POST": _submit, "GET": _list}, guard),
        Resource(names.MANIFESTS_PATH + "/{manifestId}", {"GET": _show}, guard),
    ]


def refusal_problem(refused: Refused) -> ApiProblem:
    """Return the answer to a body that was refused."""
    code = codes.ALL[refused.code]
    return ApiProblem(code, refused.detail, errors=refused.errors, error_count=refused.error_count)


async def _submit(request: Request, services: Services) -> Response:
    wait_s = preferred_wait(request)
    async with services.bodies.receive(request, limit=names.MAX_MANIFEST_BYTES) as body:
        examined = await services.examine(examine_manifest, body)
    if isinstance(examined, Refused):
        raise refusal_problem(examined)
    submission, replayed = await _accept(services, examined, trace_id(request))
    if wait_s is not None and not submission.status.is_final:
        submission = await _final(services, submission, wait_s)
    return _submitted(submission, replayed=replayed, wait_s=wait_s)


async def _accept(services: Services, manifest: Manifest, trace: str) -> tuple[StoredSubmission, bool]:
    """Return the submission, durable by now, and whether it was there before."""
    new = NewSubmission(
        submission_id="sub_" + secrets.token_hex(12),
        manifest_id=manifest.manifest_id,
        version=manifest.version,
        digest=manifest.digest,
        content_digest=manifest.content_digest,
        asset_count=manifest.asset_count,
        body_bytes=manifest.body_bytes,
        gzipped=manifest.gzipped,
        trace_id=trace,
        validation=manifest.validation,
    )
    accepted = await services.threads.write_together(services.store.submissions.accept, new, now=services.clock.now())
    match accepted:
        case Created(submission):
            services.validations.enqueue(submission.no, submission.body_bytes, submission.manifest_id)
            services.changes.wake(submission.manifest_id)
            return submission, False
        case Replayed(submission):
            return submission, True
        case VersionTaken(submission):
            raise ApiProblem(
                codes.VERSION_CONFLICT,
                f"version {new.version} of {new.manifest_id} is {submission.status} with digest {submission.digest}",
            )
        case NotNewer(active):
            raise ApiProblem(
                codes.VERSION_NOT_NEWER,
                f"version {new.version} of {new.manifest_id} is not newer than {active.version}, which is active",
            )


async def _final(services: Services, submission: StoredSubmission, wait_s: int) -> StoredSubmission:
    async def read() -> StoredSubmission:
        found = await services.threads.read(services.store.submissions.find_by_id, submission.submission_id)
        return found or submission

    def is_final(latest: StoredSubmission) -> bool:
        return latest.status.is_final

    return await services.changes.wait_until(submission.manifest_id, read, is_final, timeout_s=wait_s)


def _submitted(submission: StoredSubmission, *, replayed: bool, wait_s: int | None) -> Response:
    headers = {
        "Location": f"{names.MANIFESTS_PATH}/{submission.manifest_id}?version={submission.version}",
        **waited(wait_s),
        **_retry_after(submission),
    }
    if replayed:
        headers[names.REPLAYED_HEADER] = "true"
    representation = represented(submission)
    headers["ETag"] = representation.etag
    status = 200 if submission.status.is_final else 202
    return Response(representation.content, status, headers, "application/json")


async def _show(request: Request, services: Services) -> Response:
    manifest_id = request.path_params["manifestId"]
    query: Mapping[str, str] = request.query_params if request.scope["query_string"] else {}
    version = query.get("version")
    includes_manifest = "manifest" in query.get("include", "").split(",")
    wait_s = preferred_wait(request)
    find = functools.partial(_find, services, manifest_id, version)
    submission = await find()
    first_etag = _etag(represented(submission), includes_manifest) if wait_s is not None else ""
    if wait_s is not None and not _is_enough(request, submission, first_etag):

        def changed(latest: StoredSubmission) -> bool:
            return latest.status.is_final or _etag(represented(latest), includes_manifest) != first_etag

        submission = await services.changes.wait_until(manifest_id, find, changed, timeout_s=wait_s)
    gzipped = b""
    if includes_manifest and not is_known(request, _etag(represented(submission), includes_manifest)):
        while (
            body := await services.threads.read(services.store.submissions.body_of, submission.submission_id)
        ) is None:
            submission = await find()  # another state was put into the database meanwhile
        gzipped = body
    representation = represented(submission)
    etag = _etag(representation, includes_manifest)
    headers = {"ETag": etag, "Cache-Control": "no-cache", **waited(wait_s), **_retry_after(submission)}
    if is_known(request, etag):
        return Response(status_code=304, headers=headers)
    if not includes_manifest:
        return Response(representation.content, headers=headers, media_type="application/json")
    pieces = with_manifest(representation.content, gzipped)
    return StreamingResponse(pieces, headers=headers, media_type="application/json")


def _is_enough(request: Request, submission: StoredSubmission, etag: str) -> bool:
    """Return whether there is nothing to wait for: a final status, or news for whoever names an older ETag."""
    is_news = "if-none-match" in request.headers and not is_known(request, etag)
    return submission.status.is_final or is_news


async def _find(services: Services, manifest_id: str, version: str | None) -> StoredSubmission:
    found = await services.reads.read(services.store.submissions.find, manifest_id, version)
    if found is None:
        which = f"{manifest_id}, version {version}" if version is not None else manifest_id
        raise ApiProblem(codes.MANIFEST_NOT_FOUND, f"nothing was submitted as {which[:200]}")
    return found


def _etag(representation: Represented, includes_manifest: bool) -> str:
    return representation.etag_with_manifest if includes_manifest else representation.etag


def _retry_after(submission: StoredSubmission) -> dict[str, str]:
    return {} if submission.status.is_final else {"Retry-After": str(RETRY_AFTER_S)}


async def _list(request: Request, services: Services) -> Response:
    limit = _page_limit(request.query_params.get("limit"))
    after = _from_cursor(request.query_params.get("cursor", ""))
    page = await services.threads.read(services.store.submissions.page, after=after, limit=limit + 1)
    shown = page[:limit]
    following = _to_cursor(shown[-1].manifest_id) if len(page) > limit else None
    items = [
        {
            "manifestId": submission.manifest_id,
            "active": version_document(submission.active),
            "newest": {
                "submissionId": submission.submission_id,
                "version": submission.version,
                "digest": submission.digest,
                "contentDigest": submission.content_digest,
                "status": submission.status.value,
            },
        }
        for submission in shown
    ]
    return Response(encoded({"items": items, "next": following}), media_type="application/json")


def _page_limit(given: str | None) -> int:
    if given is None:
        return PAGE_LIMIT
    if not (given.isascii() and given.isdigit() and len(given) <= 9) or int(given) < 1:
        raise ApiProblem(codes.BAD_REQUEST, f"limit is not a number from 1 to {PAGE_LIMIT}: `{given[:40]}`")
    return min(int(given), PAGE_LIMIT)


def _to_cursor(manifest_id: str) -> str:
    return base64.urlsafe_b64encode(manifest_id.encode()).decode().rstrip("=")


def _from_cursor(cursor: str) -> str:
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise ApiProblem(codes.BAD_REQUEST, f"not a cursor of this listing: `{cursor[:40]}`") from error
