"""The pages at `/docs`: both documents, and nothing from elsewhere. A real browser looks at them in `make proof`."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib import resources

import httpx
import pytest
import yaml

from reinmaker_cli.server.routes.viewer import FILES
from reinmaker_cli.server.running import running_server
from tests.server.live import QUIET, problem_code

VIEWER = resources.files("reinmaker_cli.server").joinpath("viewer")
CONTRACT = resources.files("reinmaker_cli.contract")


def test_the_page_may_load_nothing_from_anywhere_else(live):
    answer = live.http.get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
    assert policy.pop("default-src") == "'none'"
    assert set(policy.values()) == {"'self'", "'none'", "data:"}


@pytest.mark.parametrize("name", ["page.html", "page.js", "page.css"])
def test_what_we_wrote_of_it_names_no_other_host(name):
    assert "//" not in re.sub(r"^//.*$", "", VIEWER.joinpath(name).read_text("utf-8"), flags=re.MULTILINE)


def test_all_that_the_page_names_is_served(live):
    page = live.http.get("/docs").text
    named = re.findall(r'(?:src|href)="(/[^"?]*)', page)
    assert {f"/docs/{name}" for name in FILES} <= set(named)
    for path in named:
        answer = live.http.get(path)
        assert (answer.status_code, answer.headers["x-content-type-options"]) == (200, "nosniff")


@pytest.mark.parametrize("name", ["openapi", "control-openapi"])
def test_it_shows_the_documents_as_they_ship(live, name):
    shown = live.http.get(f"/docs/{name}.json").json()
    assert shown == yaml.safe_load(CONTRACT.joinpath(f"{name}.yaml").read_text("utf-8"))


@pytest.mark.parametrize("name", ["LICENSE.txt", "..%2Fapp.py", "nothing"])
def test_nothing_else_of_the_folder_is_served(live, name):
    assert problem_code(live.http.get(f"/docs/{name}")) == "not-found"


def test_the_page_cannot_be_found_where_the_control_api_is_not():
    with running_server(replace(QUIET, behind_proxy=True, public_url="https://twin.test")) as started:
        host, port = started.address
        answer = httpx.get(f"http://{host}:{port}/docs", headers={"Host": "twin.test"}, trust_env=False, timeout=120)
    assert problem_code(answer) == "not-found"
