"""The logs: the fields that are allowed, users as pseudonyms, and nothing that anybody sent."""

from __future__ import annotations

import json
import logging
import re
import socket
from pathlib import Path
from typing import Any

import pytest

import reinmaker_cli.server.store  # noqa: F401  (every table)
from reinmaker_cli.server.access_log import ACCESS_FIELDS, SERVER_LOG, access_log, pseudonym
from reinmaker_cli.server.store.tables import METADATA
from tests.server.live import MANIFESTS, Caller, event, live_server

PRIVACY = Path(__file__).resolve().parents[2] / "docs" / "privacy.md"
USER = "usr_ch1ld-of-somebody"
PLAN = {"userId": USER, "plan": "reinmaker.game_pass"}


def first_column(heading: str) -> list[str]:
    """Return what stands in back quotes in the first column of the tables below a heading of docs/privacy.md."""
    section = PRIVACY.read_text(encoding="utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([^`]+)`", section, flags=re.MULTILINE)


def test_every_table_of_the_database_is_in_the_page_on_privacy():
    assert sorted(first_column("The database of the local server")) == sorted(METADATA.tables)


def test_every_field_of_the_log_is_in_the_page_on_privacy():
    assert first_column("The log") == list(ACCESS_FIELDS)


def log_of(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capfd.readouterr().err.splitlines()]


def ask_everything(caller: Caller) -> None:
    caller.control.put("/_local/entitlements", json=PLAN)
    caller.api.get(f"/v1/entitlements/{USER}?secret-query=1")
    caller.api.get("/v1/entitlements/somebody-else")
    caller.send([event(userId=USER)])
    caller.control.get("/_local/entitlements", params={"userId": USER})
    caller.control.post("/_local/entitlements/revoke", json=PLAN)
    caller.control.post("/_local/forget", json={"userId": USER})
    caller.api.get(f"{MANIFESTS}/secret-manifest")
    caller.api.get("/secret-path")


def test_each_line_is_json_with_the_allowed_fields(capfd):
    with live_server(log="json") as caller:
        ask_everything(caller)
        with socket.create_connection(("127.0.0.1", int(caller.started.url.rpartition(":")[2])), timeout=120) as other:
            other.sendall(b"secret-method no-http\r\n\r\n")
            assert other.recv(65536).startswith(b"HTTP/1.1 400 ")
    for line in log_of(capfd):
        assert set(line) <= (set(ACCESS_FIELDS) if "route" in line else {"time", "level", "message", "trace_id"})


@pytest.mark.parametrize("form", ["text", "json"])
def test_nothing_that_was_sent_is_in_the_log(capfd, form):
    with live_server(log=form) as caller:
        ask_everything(caller)
        secrets = (caller.started.client.client_secret, caller.started.client.control_token, caller.token())
    logged = capfd.readouterr().err
    assert not [text for text in (USER, "somebody-else", "secret", *secrets) if text in logged]


def test_one_users_requests_can_be_followed_and_nobody_elses_are_among_them(capfd):
    with live_server(log="json") as caller:
        ask_everything(caller)
    users = [line["user"] for line in log_of(capfd) if "user" in line]
    (one,) = {user for user in users if users.count(user) > 1}
    assert (users.count(one), len(users)) == (5, 6)
    assert re.fullmatch("[0-9a-f]{16}", one)


def test_a_pseudonym_is_of_no_use_without_the_key():
    assert pseudonym(b"a", USER) == pseudonym(b"a", USER)
    assert pseudonym(b"a", USER) != pseudonym(b"b", USER)


def test_a_user_has_the_same_pseudonym_after_a_restart_and_another_one_elsewhere(capfd, tmp_path):
    def logged(folder: str) -> str:
        with live_server(log="json", data=tmp_path / folder) as caller:
            caller.api.get(f"/v1/entitlements/{USER}")
        return next(line["user"] for line in log_of(capfd) if "user" in line)

    assert logged("a") == logged("a") != logged("b")


def test_text_has_the_user_at_its_end(capfd):
    with live_server(log="text") as caller:
        caller.api.get(f"/v1/entitlements/{USER}")
    assert re.search(r" GET /v1/entitlements/\S+ 200 .* client=\S+ user=[0-9a-f]{16}$", capfd.readouterr().err, re.M)


# --- what goes wrong -------------------------------------------------------------------------------------------------


def fail(error: Exception) -> None:
    try:
        raise KeyError("child@example.com")
    except KeyError as cause:
        raise error from cause


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (ValueError("child@example.com"), "ValueError: its text is not logged"),
        (ExceptionGroup("child@example.com", [ValueError("child@example.com")]), "ExceptionGroup: its text is not"),
        (TypeError("f() takes 1 positional argument"), "TypeError: f() takes 1 positional argument"),
    ],
)
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_traceback_has_our_lines_and_no_text_that_may_be_a_users(capfd, form, error, shown):
    with access_log(form):
        try:
            fail(error)
        except Exception:  # noqa: BLE001  (as the one error handler does)
            SERVER_LOG.exception("unforeseen")
    logged = capfd.readouterr().err
    assert "child@example.com" not in logged.replace('KeyError("child@example.com")', "").replace(
        'KeyError(\\"child@example.com\\")', ""
    )
    assert (shown in logged, "Traceback" in logged, "KeyError: its text" in logged) == (True, True, True)


def test_what_asyncio_says_has_the_form_that_was_asked_for(capfd):
    with access_log("json"):
        logging.getLogger("asyncio").warning("socket.send() raised exception.")
    assert log_of(capfd)[0]["message"] == "socket.send() raised exception."


def test_a_log_that_is_off_still_tells_of_bugs(capfd):
    with access_log("off"):
        SERVER_LOG.info("news")
        SERVER_LOG.error("a bug")
    logged = capfd.readouterr().err
    assert ("news" in logged, "a bug" in logged) == (False, True)
