"""The Postman collection as it ships, without node: complete, without chance, and with something to assert."""

from __future__ import annotations

import json
import re

from tests.proof.postman import COLLECTION, VARIABLES
from tests.server.openapi_document import operations

TEXT = COLLECTION.read_text("utf-8")
ITEMS = [item for folder in json.loads(TEXT)["item"] for item in folder["item"]]


def test_every_operation_is_in_it():
    def path_of(item):
        return re.sub(r"\{\{(\w+)\}\}", r"{\1}", item["request"]["url"]["raw"].removeprefix("{{baseUrl}}"))

    asked = {(item["request"]["method"], path_of(item)) for item in ITEMS}
    assert {(method.upper(), path) for path, method, _ in operations()} <= asked


def test_every_request_is_asserted_about():
    for item in ITEMS:
        tests = next(event for event in item["event"] if event["listen"] == "test")
        assert sum("pm.test(" in line for line in tests["script"]["exec"]) >= 2, item["name"]


def test_nothing_in_it_is_a_matter_of_chance():
    assert re.findall(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", TEXT) == []
    assert "_postman_id" not in TEXT


def test_every_variable_is_declared_and_no_secret_is_in_it():
    used = set(re.findall(r"\{\{(\w+)\}\}", TEXT))
    assert used == set(VARIABLES)
    assert {name for name, value in VARIABLES.items() if value} == {"baseUrl", "userId"}
