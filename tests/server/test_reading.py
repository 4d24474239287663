"""GET of a manifest and of the listing: ETags, long polls, pages."""

from __future__ import annotations

import httpx
import pytest

from tests.server.live import MANIFESTS, Caller, live_server, manifest, problem_code


def test_unknown_manifest_is_not_found(live: Caller):
    answer = live.status("nobody")
    assert (answer.status_code, problem_code(answer)) == (404, "manifest-not-found")


def test_unknown_version_is_not_found(live: Caller):
    live.submit(manifest("one-version"))
    assert problem_code(live.status("one-version", "2026.11.24")) == "manifest-not-found"


def test_newest_submission_is_shown_or_the_version_asked_for(live: Caller):
    live.submit(manifest("two", "2026.11.23"))
    live.submit(manifest("two", "2026.11.24"))
    assert live.status("two").json()["version"] == "2026.11.24"
    assert live.status("two", "2026.11.23").json()["version"] == "2026.11.23"


def test_manifest_comes_only_when_asked_for(live: Caller):
    live.submit(manifest("included"))
    assert "manifest" not in live.status("included").json()
    assert live.status("included", include="manifest").json()["manifest"] == manifest("included")


def test_post_and_get_show_the_same_submission_and_etag(live: Caller):
    posted, got = live.submit(manifest("same")), live.status("same")
    assert posted.json() == got.json()
    assert posted.headers["etag"] == got.headers["etag"]


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
def test_known_etag_gives_304(live: Caller, form):
    live.submit(manifest("cached"))
    etag = live.status("cached").headers["etag"]
    answer = live.api.get(f"{MANIFESTS}/cached", headers={"If-None-Match": form.format(etag)})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)


def test_etag_changes_when_another_version_becomes_active(live: Caller):
    live.submit(manifest("passed", "2026.11.23"))
    before = live.status("passed", "2026.11.23").headers["etag"]
    live.submit(manifest("passed", "2026.11.24"))
    assert live.status("passed", "2026.11.23").headers["etag"] != before


def test_etag_of_the_manifest_is_another_one(live: Caller):
    live.submit(manifest("represented"))
    plain, full = live.status("represented"), live.status("represented", include="manifest")
    assert plain.headers["etag"] != full.headers["etag"]


def test_retry_after_is_given_while_there_is_no_verdict(manual: Caller):
    manual.submit(manifest("retry"), wait=None)
    assert int(manual.status("retry").headers["retry-after"]) >= 1
    assert manual.decide("retry", "2026.11.23", "active").status_code == 200
    assert "retry-after" not in manual.status("retry").headers


@pytest.fixture
def for_ever(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A wait that is longer than a caller has patience: who does not answer at once does not answer."""
    monkeypatch.setattr("reinmaker_cli.server.routes.preferences.MAX_PREFER_WAIT_S", 3600)
    return {"Prefer": "wait=3600"}


def ask(caller: Caller, manifest_id: str, headers: dict[str, str]) -> httpx.Response:
    """GET a manifest with a wait that no document knows of."""
    url = f"{caller.started.url}{MANIFESTS}/{manifest_id}"
    return httpx.get(url, headers=dict(caller.api.headers) | headers, trust_env=False, timeout=120)


def test_long_poll_of_a_verdict_answers_at_once(live: Caller, for_ever):
    live.submit(manifest("final"))
    answer = ask(live, "final", for_ever)
    assert (answer.status_code, answer.headers["preference-applied"]) == (200, "wait=3600")


def test_long_poll_with_an_older_etag_answers_at_once(manual: Caller, for_ever):
    manual.submit(manifest("news"), wait=None)
    headers = for_ever | {"If-None-Match": '"older"'}
    assert ask(manual, "news", headers).status_code == 200


def test_long_poll_without_news_ends_with_304(manual: Caller):
    manual.submit(manifest("quiet"), wait=None)
    while manual.status("quiet").json()["status"] != "validating":
        pass
    headers = {"Prefer": "wait=1", "If-None-Match": manual.status("quiet").headers["etag"]}
    answer = manual.api.get(f"{MANIFESTS}/quiet", headers=headers)
    assert (answer.status_code, answer.headers["preference-applied"]) == (304, "wait=1")


# --- the listing -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shelf():
    """A server with seven manifests, one of them in two versions."""
    with live_server(validation="immediate") as caller:
        for number in (3, 1, 2, 7, 5, 6, 4):
            caller.submit(manifest(f"lesson-{number}"))
        caller.submit(manifest("lesson-4", "2026.11.24"))
        yield caller


def test_listing_shows_active_and_newest_of_each_manifest(shelf: Caller):
    page = shelf.api.get(MANIFESTS).json()
    assert [item["manifestId"] for item in page["items"]] == [f"lesson-{number}" for number in range(1, 8)]
    assert page["next"] is None
    submission = shelf.status("lesson-4").json()
    assert page["items"][3] == {
        "manifestId": "lesson-4",
        "active": submission["active"],
        "newest": {name: submission[name] for name in ("submissionId", "version", "digest", "contentDigest", "status")},
    }


@pytest.mark.parametrize("limit", [1, 2, 6, 7, 8, 5000])
def test_pages_together_are_the_whole_listing(shelf: Caller, limit):
    found, cursor = [], ""
    while cursor is not None:
        page = shelf.api.get(MANIFESTS, params={"limit": limit, **({"cursor": cursor} if cursor else {})}).json()
        assert len(page["items"]) <= limit
        found += [item["manifestId"] for item in page["items"]]
        cursor = page["next"]
    assert found == [f"lesson-{number}" for number in range(1, 8)]


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=x", "limit=²", "cursor=%21", "cursor=_w"])
def test_impossible_page_is_a_bad_request(shelf: Caller, query):
    answer = shelf.api.get(f"{MANIFESTS}?{query}")
    assert (answer.status_code, problem_code(answer)) == (400, "bad-request")


def test_listing_of_an_open_manifest_has_no_active_version(manual: Caller):
    manual.submit(manifest("a-first-of-all"), wait=None)
    items = manual.api.get(MANIFESTS).json()["items"]
    assert next(item["active"] for item in items if item["manifestId"] == "a-first-of-all") is None
