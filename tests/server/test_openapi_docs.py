"""docs/contract.md says all that the OpenAPI document and the codes say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reinmaker_cli.contract import codes
from reinmaker_cli.contract.names import Scope, Status
from tests.server.openapi_document import API, CONTROL, document, operations

TEXT = (Path(__file__).parents[2] / "docs" / "contract.md").read_text("utf-8")
TABLE_OF_PROBLEMS = TEXT.partition("| status | `code` |")[2].partition("\n\n")[0]


@pytest.mark.parametrize("route", [f"{method.upper()} {path}" for path, method, _ in operations()])
def test_every_route_is_in_the_table(route):
    assert f"| `{route}` |" in TEXT


def test_the_table_has_no_route_that_is_not_served():
    listed = set(re.findall(r"^\| `((?:GET|POST) [^`]*)` \|", TEXT, re.MULTILINE))
    assert listed == {f"{method.upper()} {path}" for path, method, _ in operations()}


def test_every_problem_of_the_document_is_explained_with_its_status():
    rows = re.findall(r"^\| (\d{3}) \| ([^|]*) \|", TABLE_OF_PROBLEMS, re.MULTILINE)
    listed = {(int(status), code) for status, cell in rows for code in re.findall(r"`([a-z-]+)`", cell)}
    # Those that only the control API answers with, by the examples of its document.
    local = {codes.REQUEST_INVALID, codes.SNAPSHOT_UNUSABLE} | (_problems(CONTROL) - _problems(API) - {codes.NOT_FOUND})
    expected = {(code.status, str(code)) for code in codes.ALL.values() if code.status and code not in local}
    assert listed == expected


def _problems(one):
    return {
        one.follow(example)["value"]["code"]
        for pointer, content in one.contents().items()
        if pointer.endswith("problem+json")
        for example in content["examples"].values()
    }


@pytest.mark.parametrize("word", [*Scope, *Status])
def test_every_scope_and_status_is_named(word):
    assert re.search(rf"\b{re.escape(word)}\b", TEXT)


def test_every_check_and_header_field_is_named():
    schemas, headers = document()["components"]["schemas"], set()
    for _, _, operation in operations():
        for response in operation["responses"].values():
            headers |= set(response.get("headers", ()))
    for word in [*schemas["Check"]["properties"]["name"]["enum"], *(headers - {"Cache-Control"})]:
        assert f"`{word}" in TEXT, word


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#]+)\)", TEXT))
def test_every_link_leads_to_a_file(target):
    assert (Path(__file__).parents[2] / "docs" / target).exists()
