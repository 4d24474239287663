"""Publishes with the client that openapi-python-client made: `reinmaker_api`, in the current folder.

Prints JSON: what it checked.
"""

import json
import sys
import uuid
from http import HTTPStatus

sys.path.insert(0, ".")
from reinmaker_api import AuthenticatedClient, Client
from reinmaker_api.api.health import get_health
from reinmaker_api.api.issuer import request_token
from reinmaker_api.api.manifests import get_manifest, list_manifests, submit_manifest
from reinmaker_api.api.players import get_entitlements, send_events
from reinmaker_api.models import (
    BatchTaken,
    EntitlementList,
    EventBatch,
    Health,
    Manifest,
    ManifestPage,
    Problem,
    Status,
    Submission,
    TokenAnswer,
    TokenError,
    TokenRequest,
)

url, client_id, secret, user = sys.argv[1:5]
checked = []


def holds(what, is_true):
    if not is_true:
        raise SystemExit(f"not so: {what}")
    checked.append(what)


with Client(base_url=url) as anybody:
    form = {"grant_type": "client_credentials", "client_id": client_id}
    refused = request_token.sync(client=anybody, body=TokenRequest.from_dict({**form, "client_secret": "wrong"}))
    holds("a wrong secret is a TokenError", isinstance(refused, TokenError) and refused.error == "invalid_client")
    granted = request_token.sync(client=anybody, body=TokenRequest.from_dict({**form, "client_secret": secret}))
    holds("a token", isinstance(granted, TokenAnswer) and granted.expires_in == 900)
    holds("health", isinstance(get_health.sync(client=anybody), Health))

with AuthenticatedClient(base_url=url, token=granted.access_token) as client:
    manifest_id = f"2026-11-23-python-{uuid.uuid4()}"
    document = {
        "manifestId": manifest_id,
        "version": "2026.11.23",
        "product": "reinmaker",
        "source": {"phaseDNAId": "water-cycle", "locale": "en-US", "agePersona": "2-5"},
        "assets": [{"id": "a", "type": "fx", "url": f"s3://bucket/{manifest_id}/a.png", "hash": "0" * 64, "bytes": 3}],
    }
    sent = submit_manifest.sync_detailed(client=client, body=Manifest.from_dict(document), prefer="wait=20")
    holds("submitted", sent.status_code == HTTPStatus.OK and isinstance(sent.parsed, Submission))
    holds("active", sent.parsed.status == Status.ACTIVE and sent.parsed.active.version == "2026.11.23")
    read = get_manifest.sync(manifest_id, client=client, include="manifest")
    holds("read back as it was sent", isinstance(read, Submission) and read.manifest.to_dict() == document)
    page = list_manifests.sync(client=client, limit=1)
    holds("a page", isinstance(page, ManifestPage) and len(page.items) == 1)
    missing = get_manifest.sync("nobody-sent-this", client=client)
    holds("a problem", isinstance(missing, Problem) and missing.code == "manifest-not-found")
    found = get_entitlements.sync(user, client=client)
    holds("entitlements", isinstance(found, EntitlementList) and found.entitlements[0].status == "active")
    event = {"eventId": str(uuid.uuid4()), "type": "phase.completed", "occurredAt": "2026-11-23T07:00:00Z"}
    taken = send_events.sync(client=client, body=EventBatch.from_dict({"events": [event]}))
    holds("events", isinstance(taken, BatchTaken) and taken.accepted == 1)

with Client(base_url=url) as anybody:
    nobody = get_manifest.sync(manifest_id, client=anybody)
    holds("no token", isinstance(nobody, Problem) and nobody.code == "token-missing")
json.dump(checked, sys.stdout)
