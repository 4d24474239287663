"""What travels over the wire, as frozen pydantic models: read an answer with them, build one with them.

Keys are camelCase on the wire and snake_case here. A manifest is never re-serialised from a model: what is stored,
sent and digested is the JSON document itself (`ijson.py`, `canonical.py`).
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from reinmaker_cli.contract.names import EntitlementStatus, Status


class Wire(BaseModel):
    """Base of all wire models: frozen, camelCase outside, unknown members ignored so that a server may grow."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore")

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object, without the members that are absent."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class VersionRef(Wire):
    """One version of a manifest, by content."""

    version: str
    digest: str
    """`sha256:` and 64 hex digits of the RFC 8785 form of the manifest."""
    content_digest: str
    """The same without the member `version`."""


class Check(Wire):
    """One check of the asynchronous validation."""

    name: Literal["asset-reachable", "asset-bytes", "asset-hash", "asset-immutable"]
    status: Literal["passed", "failed", "skipped"]
    checked: int = Field(ge=0)
    failed: int = Field(ge=0)
    source: str
    """Where the bytes came from: `folder`, `http`, `bucket`, `none`, or several joined by `+`."""


class ValidationError(Wire):
    """One place that is wrong: an entry of `errors` in a problem document or a submission."""

    code: str
    pointer: str
    """RFC 6901 JSON Pointer into the manifest."""
    detail: str
    asset_id: str | None = None
    expected: str | None = None
    found: str | None = None


class Validation(Wire):
    """What the asynchronous validation found."""

    checks: tuple[Check, ...] = ()
    errors: tuple[ValidationError, ...] = ()
    """The first 100."""
    error_count: int = 0
    warnings: tuple[ValidationError, ...] = ()


class Submission(Wire):
    """One submission of one version, and where it stands."""

    submission_id: str
    """New for every validation; a replay of the same content has the same one."""
    manifest_id: str
    version: str
    digest: str
    content_digest: str
    status: Status
    active: VersionRef | None = None
    """What players have now, which may be another version."""
    submitted_at: str
    updated_at: str
    trace_id: str
    validation: Validation = Validation()


class ListedNewest(VersionRef):
    """The newest submission of a manifest, in the listing."""

    submission_id: str
    status: Status


class ListedManifest(Wire):
    """One line of `GET /v1/content/manifests`."""

    manifest_id: str
    active: VersionRef | None = None
    newest: ListedNewest


class ManifestPage(Wire):
    """One page of the listing; `next` is the cursor of the following page."""

    items: tuple[ListedManifest, ...]
    next: str | None = None


class Entitlement(Wire):
    """One plan of one user."""

    user_id: str = Field(repr=False)
    product: str
    plan: str
    status: EntitlementStatus
    issued_at: str
    expires_at: str | None = None
    """None: it does not end."""
    features: tuple[str, ...] = ()
    source: str = ""
    """Who granted it, such as the billing service."""
    region: str | None = None


class EntitlementList(Wire):
    """`GET /v1/entitlements/{userId}`: what the user may use now; empty for an unknown one."""

    user_id: str = Field(repr=False)
    entitlements: tuple[Entitlement, ...]


class BatchTaken(Wire):
    """A batch of events that the server has, whole."""

    batch_id: str
    accepted: int = Field(ge=0)
    """How many of the events were new."""
    duplicates: int = Field(ge=0)


class Problem(Wire):
    """An error answer, RFC 9457."""

    type: str
    title: str
    status: int
    detail: str = ""
    instance: str = ""
    code: str = ""
    errors: tuple[ValidationError, ...] = ()
    error_count: int = 0


class TokenAnswer(Wire):
    """An access token, RFC 6749 section 5.1; its keys are snake_case there."""

    model_config = ConfigDict(frozen=True, alias_generator=None, extra="ignore")

    access_token: str = Field(min_length=1, repr=False)
    token_type: str
    expires_in: int | None = None
    """Seconds; only recommended by the RFC, so None means: use it once."""
    scope: str | None = None


class IssuerMetadata(Wire):
    """Authorization server metadata, RFC 8414 section 2."""

    model_config = ConfigDict(frozen=True, alias_generator=None, extra="ignore")

    issuer: str
    token_endpoint: str


class Health(Wire):
    """`GET /v1/health`."""

    status: Literal["ok", "degraded", "failing"]
    version: str
    time: str
    checks: dict[str, Any] | None = None


class LocalClient(Wire):
    """`client.json` in the local server's data folder: the development client and the control token."""

    client_id: str
    client_secret: str = Field(repr=False)
    api_url: str
    control_token: str = Field(repr=False)
    control_url: str | None = ""
    """Where the control API is, if it has a port of its own; "": at `api_url`, None: it is off."""
