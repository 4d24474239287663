"""Endpoints, deliveries and dead letters as the control API shows them."""

from __future__ import annotations

from typing import Any

from reinmaker_cli.server.clock import rfc3339
from reinmaker_cli.server.store.endpoints import StoredEndpoint
from reinmaker_cli.server.store.webhook_records import StoredAttempt, StoredDeadLetter, StoredDelivery


def endpoint_document(endpoint: StoredEndpoint, now: float) -> dict[str, Any]:
    """Return an endpoint without its secrets; `now` tells whether its rotation is overdue."""
    secret = endpoint.secret
    return {
        "endpointId": endpoint.endpoint_id,
        "url": endpoint.url,
        "types": list(endpoint.types),
        "enabled": endpoint.enabled,
        "disabledReason": endpoint.disabled_reason,
        "source": endpoint.source,
        "createdAt": rfc3339(endpoint.created_at),
        "secret": {
            "createdAt": rfc3339(secret.created_at),
            "rotatesAt": rfc3339(secret.rotates_at),
            "nextReady": secret.next_ready,
            "nextFetched": secret.next_fetched,
            "overdue": secret.is_overdue_at(now),
        },
        "open": endpoint.open,
        "deadLetters": endpoint.dead_letters,
        "lastDeliveredAt": _time(endpoint.last_delivered_at),
    }


def delivery_document(delivery: StoredDelivery) -> dict[str, Any]:
    """Return a delivery with all of its attempts."""
    return {
        "deliveryId": delivery.delivery_id,
        "eventId": delivery.event_id,
        "type": delivery.type,
        "endpointId": delivery.endpoint_id,
        "url": delivery.url,
        "status": delivery.status,
        "attempt": delivery.attempt,
        "dueAt": _time(delivery.due_at),
        "createdAt": rfc3339(delivery.created_at),
        "updatedAt": rfc3339(delivery.updated_at),
        "traceId": delivery.trace_id,
        "attempts": [attempt_document(attempt) for attempt in delivery.attempts],
    }


def attempt_document(attempt: StoredAttempt) -> dict[str, Any]:
    """Return one POST; its times are of the server's clock, `durationMs` and `webhookTimestamp` are real."""
    return {
        "attempt": attempt.attempt,
        "kind": attempt.kind,
        "startedAt": rfc3339(attempt.started_at),
        "endedAt": rfc3339(attempt.ended_at),
        "durationMs": attempt.duration_ms,
        "webhookTimestamp": attempt.webhook_timestamp,
        "status": attempt.status,
        "outcome": attempt.outcome,
        "error": attempt.error,
    }


def dead_letter_document(letter: StoredDeadLetter) -> dict[str, Any]:
    """Return a dead letter without what it says."""
    delivery = letter.delivery
    forwarded = None
    if letter.forwarded_to is not None:
        forwarded = {"to": letter.forwarded_to, "at": _time(letter.forwarded_at)}
    return {
        "deliveryId": delivery.delivery_id,
        "eventId": delivery.event_id,
        "type": delivery.type,
        "endpointId": delivery.endpoint_id,
        "url": delivery.url,
        "reason": letter.reason,
        "diedAt": rfc3339(letter.died_at),
        "expiresAt": rfc3339(letter.expires_at),
        "attempts": letter.attempts,
        "traceId": delivery.trace_id,
        "forwarded": forwarded,
    }


def _time(unix_s: float | None) -> str | None:
    return None if unix_s is None else rfc3339(unix_s)
