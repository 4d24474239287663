"""The words of the contract, each written once: scopes, statuses, paths, headers, limits.

Standard library only, so that anything may import it at no cost.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Scope(StrEnum):
    """OAuth 2.0 scopes (draft, "Authentication")."""

    CONTENT_WRITE = "reinmaker.content.write"
    ENTITLEMENT_READ = "reinmaker.entitlement.read"
    TELEMETRY_WRITE = "reinmaker.telemetry.write"


class Status(StrEnum):
    """Where a submission stands. `pending` → `validating` → `active` | `rejected`; `active` → `superseded`."""

    PENDING = "pending"
    VALIDATING = "validating"
    ACTIVE = "active"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"

    @property
    def is_final(self) -> bool:
        """True once validation has ended: only supersession can still follow."""
        return self in (Status.ACTIVE, Status.REJECTED, Status.SUPERSEDED)


class EventType(StrEnum):
    """What webhooks tell (draft, "Webhooks")."""

    ENTITLEMENT_UPDATED = "reinmaker.entitlement.updated"
    CONTENT_REQUESTED = "reinmaker.content.requested"
    TELEMETRY_FLUSHED = "reinmaker.telemetry.flushed"


class EntitlementStatus(StrEnum):
    """Whether a user may use a plan; `expired` comes by the server's clock."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


LOCAL_PORT: Final = 7040
"""Of `reinmaker serve`, and of whoever looks for it."""

PRODUCTS: Final = ("reinmaker", "daily_lesson", "curious_kelly")
LOCALES: Final = ("en-US", "es-ES", "fr-FR")
PERSONAS: Final = ("2-5", "6-12", "13-17", "18-35", "36-60", "61-102")
ASSET_TYPES: Final = ("overlay", "fx", "audio", "animation")
PLANS: Final = (
    *("reinmaker.game_pass", "reinmaker.family_pack"),
    *("daily_lesson.standard", "daily_lesson.enterprise"),
    *("curious_kelly.personal", "curious_kelly.family"),
)
"""What can be bought; the part before the dot is the product."""

PROBLEM_TYPE_PREFIX: Final = "https://api.reinmaker.com/problems/"
TRACE_URL_PREFIX: Final = "https://api.reinmaker.com/traces/"

MANIFESTS_PATH: Final = "/v1/content/manifests"
ENTITLEMENTS_PATH: Final = "/v1/entitlements"
EVENTS_PATH: Final = "/v1/telemetry/events"
HEALTH_PATH: Final = "/v1/health"
SCHEMA_PATH: Final = "/v1/schemas/content-manifest.json"
OPENAPI_PATH: Final = "/openapi.json"
TOKEN_PATH: Final = "/oauth/token"
JWKS_PATH: Final = "/.well-known/jwks.json"
METADATA_PATH: Final = "/.well-known/oauth-authorization-server"
CONTROL_PATH: Final = "/_local"

TRACE_HEADER: Final = "X-Lesson-Trace-Id"
TRACE_PATTERN: Final = r"[A-Za-z0-9._-]{1,128}"
REPLAYED_HEADER: Final = "Idempotent-Replayed"
ATTEMPT_HEADER: Final = "Reinmaker-Attempt"
SERVER_TIME_HEADER: Final = "Reinmaker-Time"  # of a webhook: the server's clock, which may be ahead of real time

PROBLEM_MEDIA_TYPE: Final = "application/problem+json"

MAX_MANIFEST_BYTES: Final = 64 * 1024 * 1024
MAX_USER_ID: Final = 256  # characters
MAX_EVENTS: Final = 500  # in one batch
MAX_EVENTS_BYTES: Final = 1024 * 1024  # of one batch, inflated
EVENT_MEMORY_S: Final = 14 * 86_400  # how long an eventId is remembered
MAX_ERRORS_LISTED: Final = 100
MAX_PREFER_WAIT_S: Final = 30
TOKEN_LIFETIME_S: Final = 900
MAX_SECRET_AGE_DAYS: Final = 90
WARN_SECRET_AGE_DAYS: Final = 75
