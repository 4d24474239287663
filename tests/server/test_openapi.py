"""The OpenAPI document in itself: valid, complete, and of one mind with the rest of the contract."""

from __future__ import annotations

import copy
import json
import re
from importlib import resources

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from reinmaker_cli.contract import codes, models
from reinmaker_cli.contract.canonical import content_digest, digest
from reinmaker_cli.contract.names import (
    LOCALES,
    PLANS,
    PROBLEM_TYPE_PREFIX,
    PRODUCTS,
    TRACE_HEADER,
    EntitlementStatus,
    EventType,
    Scope,
    Status,
)
from reinmaker_cli.contract.validation import check_manifest
from tests.server.openapi_document import (
    API,
    CONTROL,
    ApiDocument,
    at_pointer,
    document,
    follow,
    nodes,
    operations,
    schema_errors,
    undocumented_members,
)

OPERATIONS = {operation["operationId"]: operation for _, _, operation in operations()}


BOTH = pytest.mark.parametrize("one", [API, CONTROL], ids=["api", "control"])
EXAMPLES = [
    pytest.param(one, schema, value, id=name) for one in (API, CONTROL) for name, schema, value in one.examples()
]


@BOTH
def test_it_is_valid_openapi_3_1(one):
    assert one.document()["openapi"].startswith("3.1.")
    assert [error.message for error in OpenAPIV31SpecValidator(one.document()).iter_errors()] == []


def dangling(one):
    """Return the references that lead nowhere, those of webhooks too: no validator that is written in Python looks."""
    found = []
    for pointer, node in nodes(one.document()):
        if isinstance(node, dict) and isinstance(node.get("$ref"), str):
            try:
                one.at_pointer(node["$ref"])
            except (KeyError, IndexError, AssertionError):
                found.append(pointer)
    return found


@BOTH
def test_every_reference_leads_somewhere(one):
    assert dangling(one) == []


class Edited(ApiDocument):
    """A document made by a test."""

    def __init__(self, document):
        super().__init__("none")
        self._document = document

    def document(self):
        return self._document


def test_a_dangling_reference_in_a_webhook_would_be_seen():
    broken = copy.deepcopy(document())
    body = broken["webhooks"]["reinmaker.telemetry.flushed"]["post"]["requestBody"]["content"]["application/json"]
    body["schema"]["$ref"] = "#/components/schemas/Renamed"
    assert dangling(Edited(broken)) == [
        "#/webhooks/reinmaker.telemetry.flushed/post/requestBody/content/application~1json/schema"
    ]


@BOTH
def test_every_component_is_used(one):
    text = json.dumps(one.document())
    for kind, members in one.document()["components"].items():
        if kind != "securitySchemes":
            unused = [name for name in members if f'"#/components/{kind}/{name}"' not in text]
            assert unused == [], kind


def test_the_manifest_schema_in_it_is_the_shipped_one():
    shipped = resources.files("reinmaker_cli.contract").joinpath("content-manifest.schema.json").read_bytes()
    assert document()["components"]["schemas"]["Manifest"] == json.loads(shipped)


@pytest.mark.parametrize(("one", "schema", "value"), EXAMPLES)
def test_every_example_fits_its_schema(one, schema, value):
    assert one.schema_errors(schema, value) == []
    assert one.undocumented_members(one.at_pointer(schema), value) == []


def test_an_example_that_does_not_fit_would_be_seen():
    pointer = "#/components/schemas/Submission"
    value = dict(document()["components"]["examples"]["ActiveSubmission"]["value"], status="done", more=1)
    assert schema_errors(pointer, value) != []
    assert undocumented_members(at_pointer(pointer), value) == ["$.more"]


@BOTH
def test_every_body_has_an_example(one):
    assert [pointer for pointer, content in one.contents().items() if not content["examples"]] == []


@BOTH
def test_every_operation_says_what_it_is_and_traces(one):
    for _, _, operation in one.operations():
        assert operation["summary"] and operation["tags"]
        parameters = [one.follow(parameter)["name"] for parameter in operation["parameters"]]
        assert "X-Lesson-Trace-Id" in parameters
        for status, response in operation["responses"].items():
            assert "X-Lesson-Trace-Id" in one.follow(response)["headers"], (operation["operationId"], status)
        assert {"421", "500"} <= set(operation["responses"])


@BOTH
def test_operation_ids_are_unique(one):
    ids = [operation["operationId"] for _, _, operation in one.operations()]
    assert len(ids) == len(set(ids))


def test_what_needs_a_token_says_401_and_403():
    for operation in OPERATIONS.values():
        security = operation.get("security", document()["security"])
        is_protected = security in [[{"oauth2": [str(scope)]}] for scope in Scope]
        assert is_protected == ({"401", "403"} <= set(operation["responses"]))


def test_what_wants_to_know_the_client_says_where_it_stands_and_when_it_is_too_much():
    for name, operation in OPERATIONS.items():
        assert ("429" in operation["responses"]) == ("401" in operation["responses"]), name
        if "429" not in operation["responses"]:
            continue
        uncounted = {"403", "421"} if name == "requestToken" else {"401", "403", "421"}
        for status in operation["responses"].keys() - uncounted:
            assert {"RateLimit", "RateLimit-Policy"} <= set(follow(operation["responses"][status])["headers"]), status


WEBHOOKS = {name: item["post"] for name, item in document()["webhooks"].items()}


def test_the_webhooks_are_the_event_types():
    assert set(WEBHOOKS) == set(EventType)


@pytest.mark.parametrize("name", WEBHOOKS)
def test_a_webhook_says_what_a_receiver_gets_and_may_answer(name):
    hook = WEBHOOKS[name]
    sent = {follow(parameter)["name"] for parameter in hook["parameters"] if follow(parameter)["required"]}
    assert sent == {"webhook-id", "webhook-timestamp", "webhook-signature", TRACE_HEADER, "Reinmaker-Attempt"}
    schema = follow(hook["requestBody"]["content"]["application/json"]["schema"])
    assert (schema["properties"]["type"]["const"], schema["required"]) == (name, ["type", "timestamp", "data"])
    assert {"2XX", "410", "429", "503", "default"} == set(hook["responses"])
    assert hook["security"] == []


def test_scopes_and_statuses_are_those_of_the_contract():
    scopes = document()["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]["scopes"]
    assert list(scopes) == [str(scope) for scope in Scope]
    assert document()["components"]["schemas"]["Status"]["enum"] == [str(status) for status in Status]
    assert _schema("EntitlementStatus")["enum"] == list(EntitlementStatus)
    assert _schema("Plan")["enum"] == list(PLANS)
    assert _schema("Entitlement")["properties"]["product"]["enum"] == list(PRODUCTS)
    assert _schema("ContentRequested")["properties"]["data"]["properties"]["locale"]["enum"] == list(LOCALES)


@pytest.mark.parametrize(
    "name",
    [
        *("VersionRef", "Check", "Validation", "ValidationError", "ManifestPage", "ListedManifest"),
        *("Entitlement", "EntitlementList", "BatchTaken"),
    ],
)
def test_the_wire_models_have_the_members_of_their_schema(name):
    fields = getattr(models, name).model_fields
    assert {field.alias or name for name, field in fields.items()} == set(_schema(name)["properties"])


def test_the_larger_wire_models_have_the_members_of_their_schema():
    def aliases(model):
        return {field.alias or name for name, field in model.model_fields.items()}

    assert aliases(models.Submission) == set(_schema("Submission")["properties"]) - {"manifest"}
    assert aliases(models.Problem) == set(_schema("Problem")["properties"])
    assert aliases(models.Health) == set(_schema("Health")["properties"])
    assert aliases(models.TokenAnswer) == set(_schema("TokenAnswer")["properties"])
    assert aliases(models.IssuerMetadata) <= set(_schema("IssuerMetadata")["properties"])


def _schema(name):
    return document()["components"]["schemas"][name]


def _problems():
    for one in (API, CONTROL):
        for pointer, content in one.contents().items():
            if pointer.endswith("problem+json"):
                for example in content["examples"].values():
                    yield pointer, one.follow(example)["value"]


@pytest.mark.parametrize(("pointer", "problem"), list(_problems()))
def test_a_problem_example_is_one_of_the_codes(pointer, problem):
    code = codes.ALL[problem["code"]]
    assert problem["type"] == PROBLEM_TYPE_PREFIX + code
    assert problem["title"] == code.heading
    status = re.search(r"/responses/(\d{3})/", pointer)
    assert status is None or int(status[1]) == problem["status"]
    assert code.status in (0, problem["status"])
    assert all(error["code"] in codes.ALL for error in problem.get("errors", ()))


@pytest.mark.parametrize(
    "name", ["PendingSubmission", "ActiveSubmission", "RejectedSubmission", "SubmissionWithManifest"]
)
def test_a_submission_example_is_read_and_its_digests_are_true(name):
    examples = document()["components"]["examples"]
    submission = examples[name]["value"]
    manifest = submission.get("manifest") or examples["Manifest"]["value"]
    assert check_manifest(manifest).findings == ()
    assert submission["digest"] == digest(manifest)
    assert submission["contentDigest"] == content_digest(manifest)
    read = models.Submission.model_validate(submission)
    assert (read.manifest_id, read.version) == (manifest["manifestId"], manifest["version"])
    assert all(error.code in codes.ALL for error in (*read.validation.errors, *read.validation.warnings))
