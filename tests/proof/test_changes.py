# ruff: noqa: E501  (a table reads best with one row a line)
"""The check for breaking changes, seen red by every kind of edit that breaks somebody, and green by what does not."""

from __future__ import annotations

import copy

import pytest

from tests.proof.changes import Comparison
from tests.server.openapi_document import document

SCOPES = ["reinmaker.content.write", "reinmaker.telemetry.write"]


def changes_by(edit):
    """Return what the check says of an edit of the document."""
    new = copy.deepcopy(document())
    edit(new)
    return Comparison(document(), new).run()


def schema(one, name):
    return one["components"]["schemas"][name]


def events(one):
    return one["paths"]["/v1/telemetry/events"]["post"]


def submission(one):
    return schema(one, "Submission")


BREAKING = {
    "an operation removed": lambda one: one["paths"]["/v1/health"].pop("get"),
    "a path renamed": lambda one: one["paths"].update({"/v2/health": one["paths"].pop("/v1/health")}),
    "a webhook removed": lambda one: one["webhooks"].pop("reinmaker.telemetry.flushed"),
    "a status removed": lambda one: events(one)["responses"].pop("202"),
    "a status changed": lambda one: events(one)["responses"].update({"200": events(one)["responses"].pop("202")}),
    "a scope changed": lambda one: events(one).update(security=[{"oauth2": ["reinmaker.content.write"]}]),
    "a scope added": lambda one: events(one).update(security=[{"oauth2": SCOPES}]),
    "a public route closed": lambda one: one["paths"]["/v1/health"]["get"].update(security=[{"oauth2": []}]),
    "a way to authenticate removed": lambda one: one["paths"]["/oauth/token"]["post"]["security"].pop(0),
    "a member of an answer removed": lambda one: submission(one)["properties"].pop("active"),
    "a member of an answer optional": lambda one: submission(one)["required"].remove("active"),
    "a member of an answer of another type": lambda one: schema(one, "BatchTaken")["properties"]["accepted"].update(type="string"),
    "a member of an answer null at times": lambda one: schema(one, "TokenAnswer")["properties"]["scope"].update(type=["string", "null"]),
    "a new value in an answer": lambda one: schema(one, "Status")["enum"].append("published"),
    "a bound of an answer lifted": lambda one: schema(one, "Problem")["properties"]["errors"].pop("maxItems"),
    "a pattern of an answer dropped": lambda one: schema(one, "Digest").pop("pattern"),
    "an answer under another media type": lambda one: events(one)["responses"]["202"].update(
        content={"text/plain": events(one)["responses"]["202"]["content"]["application/json"]}
    ),
    "a header of an answer removed": lambda one: one["paths"]["/v1/content/manifests"]["post"]["responses"]["202"]["headers"].pop("ETag"),
    "a header of an answer optional": lambda one: one["components"]["headers"]["ETag"].pop("required"),
    "a required member of a request": lambda one: schema(one, "Event")["required"].append("userId"),
    "a constraint of a request tightened": lambda one: schema(one, "EventBatch")["properties"]["events"].update(maxItems=100),
    "a constraint of a request that was none": lambda one: schema(one, "Manifest")["properties"]["manifestId"].update(maxLength=64),
    "a value of a request removed": lambda one: schema(one, "Manifest")["properties"]["product"]["enum"].remove("daily_lesson"),
    "a format of a request": lambda one: schema(one, "Event")["properties"]["eventId"].update(format="uuid"),
    "more members refused": lambda one: schema(one, "Event").update(additionalProperties=False),
    "a media type of a request removed": lambda one: events(one)["requestBody"]["content"].pop("application/json"),
    "a parameter removed": lambda one: one["paths"]["/v1/content/manifests/{manifestId}"]["get"]["parameters"].pop(),
    "a parameter required": lambda one: one["components"]["parameters"]["TraceId"].update(required=True),
    "a new required parameter": lambda one: events(one)["parameters"].append(
        {"name": "tenant", "in": "query", "required": True, "schema": {"type": "string"}}
    ),
    "a member of a webhook removed": lambda one: schema(one, "TelemetryFlushed")["properties"]["data"]["properties"].pop("events"),
    "a new value in a webhook": lambda one: schema(one, "EntitlementStatus")["enum"].append("paused"),
    "a header of a webhook removed": lambda one: one["webhooks"]["reinmaker.telemetry.flushed"]["post"]["parameters"].pop(0),
    "a server removed": lambda one: one["servers"].pop(),
}  # fmt: skip

HARMLESS = {
    "nothing": lambda one: None,
    "a new operation": lambda one: one["paths"].update({"/v1/more": {"get": {"responses": {}}}}),
    "a new webhook": lambda one: one["webhooks"].update({"reinmaker.more": one["webhooks"]["reinmaker.telemetry.flushed"]}),
    "a new member of an answer": lambda one: submission(one)["properties"].update(more={"type": "string"}),
    "a new optional member of a request": lambda one: schema(one, "Event")["properties"].update(more={"type": "string"}),
    "a wider request": lambda one: schema(one, "EventBatch")["properties"]["events"].update(maxItems=1000),
    "a narrower answer": lambda one: schema(one, "Problem")["properties"]["errors"].update(maxItems=50),
    "a new optional parameter": lambda one: events(one)["parameters"].append(
        {"name": "dryRun", "in": "query", "schema": {"type": "boolean"}}
    ),
    "another way in": lambda one: events(one).update(security=[{"oauth2": ["reinmaker.telemetry.write"]}, {}]),
    "other words": lambda one: submission(one).update(description="Where it stands."),
}  # fmt: skip


@pytest.mark.parametrize("name", BREAKING)
def test_what_breaks_somebody_is_seen(name):
    assert changes_by(BREAKING[name]) != []


@pytest.mark.parametrize("name", HARMLESS)
def test_what_breaks_nobody_is_not(name):
    assert changes_by(HARMLESS[name]) == []


def test_it_says_where_and_what():
    assert changes_by(BREAKING["a required member of a request"]) == [
        "POST /v1/telemetry/events: body/events/*: required now: userId"
    ]


def test_the_document_is_compared_in_all_its_parts():
    comparison = Comparison(document(), copy.deepcopy(document()))
    assert comparison.run() == []
    assert comparison.checks > 1000
