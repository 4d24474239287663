"""The page at `/`: what its views say, to whom, and that nothing in them is markup which somebody sent.

A real browser looks at it in `make proof`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from html.parser import HTMLParser

import httpx
import pytest

from reinmaker_cli.contract.names import EventType
from reinmaker_cli.server.inspector.frame import TABS
from reinmaker_cli.server.inspector.markup import group, tag
from reinmaker_cli.server.inspector.parts import duration, moment, place, size, url_text, without_users
from reinmaker_cli.server.inspector.views import VIEWS
from reinmaker_cli.server.journal import PAGES
from reinmaker_cli.server.routes.inspector import FILES, VIEW_PATH, inspector_page
from reinmaker_cli.server.routes.viewer import viewer_resources
from reinmaker_cli.server.running import running_server
from tests.scene import ACTIVE, ATTACKS, HOSTILE, REJECTED, USER, Scene, hostile_day, working_day
from tests.server.live import QUIET, Caller, large_manifest, live_server, manifest, problem_code
from tests.server.openapi_document import CONTROL
from tests.server.receiver import receiver

ELEMENTS = {
    *("div", "header", "p", "span", "a", "nav", "ul", "ol", "li", "main", "h1", "h2", "h3", "section", "article"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td", "dl", "dt", "dd", "code", "kbd", "pre", "strong", "time"),
    *("form", "label", "input", "select", "option", "optgroup", "button", "meter", "details", "summary", "wbr"),
    *("svg", "use", "line", "circle", "g", "title", "text"),
}
"""All that the views are made of."""


class Reader(HTMLParser):
    """Reads a view as a browser does."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: set[str] = set()
        self.attributes: dict[str, set[str]] = {}
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.add(name)
        for key, value in attributes:
            self.attributes.setdefault(key, set()).add(value or "")

    def handle_data(self, text: str) -> None:
        self.text += text

    def handle_comment(self, text: str) -> None:
        raise AssertionError(f"a comment: {text}")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with working_day(tmp_path_factory.mktemp("day")) as scene:
        yield scene


@pytest.fixture(scope="module")
def hostile() -> Iterator[Caller]:
    with live_server(verify="strict") as caller:
        hostile_day(caller)
        yield caller


def look(caller: Caller, view: str, **query: str) -> Reader:
    """Return a view, after a look at what it is made of."""
    answer = caller.control.get(f"/_local/inspector/{view}", params=query)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8"), answer.text
    read = Reader(answer.text)
    assert read.elements <= ELEMENTS
    assert [name for name in read.attributes if name.startswith("on") or name in ("style", "src", "srcdoc")] == []
    assert all(re.match(r"#[/i]", address) for address in read.attributes["href"])
    return read


def detail_views(caller: Caller) -> list[tuple[str, dict[str, str]]]:
    """Return what leads from the lists to one of a kind."""
    manifests = caller.api.get("/v1/content/manifests").json()["items"]
    deliveries = caller.control.get("/_local/webhooks/deliveries").json()["items"]
    requests = caller.control.get("/_local/requests").json()["items"]
    return [
        *(("manifests", {"id": one["manifestId"]}) for one in manifests),
        *(("deliveries", {"id": one["deliveryId"]}) for one in deliveries),
        *(("requests", {"trace": one["traceId"]}) for one in requests if one["method"] == "POST"),
        *(("requests", {"status": status}) for status in ("4xx", "5xx")),
    ]


# --- who may look ----------------------------------------------------------------------------------------------------


def test_the_shell_has_no_data_and_may_run_and_load_only_its_own(live):
    answer = live.http.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
    assert policy.pop("default-src") == "'none'"
    assert policy.pop("require-trusted-types-for") == "'script'"
    assert policy.pop("trusted-types") == "inspector"
    assert set(policy.values()) == {"'self'", "'none'"}
    assert answer.content == live.http.get("/?anything=1", headers={"Authorization": "Bearer x"}).content
    assert not re.search(r"<script(?! src=)| style=|<style|//", answer.text)


def test_all_that_the_shell_names_is_served_and_nothing_else(live):
    named = set(re.findall(r'(?:src|href)="/([^"]*)"', live.http.get("/").text))
    assert named == {f"inspector/{name}" for name in FILES}
    for name in named:
        answer = live.http.get(f"/{name}")
        assert (answer.status_code, answer.headers["x-content-type-options"]) == (200, "nosniff")
    for name in ("page.html", "..%2F__init__.py", "frame.py"):
        assert problem_code(live.http.get(f"/inspector/{name}")) == "not-found"


@pytest.mark.parametrize("name", FILES)
def test_what_the_shell_loads_names_no_other_host(live, name):
    text = live.http.get(f"/inspector/{name}").text.replace("http://www.w3.org/2000/svg", "")
    assert "//" not in re.sub(r"(^|\s)// .*$", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": ""},
        {"Authorization": "Bearer another"},
        {"Origin": "http://localhost:1"},
        {"Origin": "null"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
    ],
    ids=str,
)
def test_views_are_for_who_has_the_token_and_comes_from_here(live, headers):
    assert problem_code(live.control.get("/_local/inspector/overview", headers=headers)) == "control-refused"


def test_an_access_token_opens_nothing(live):
    assert problem_code(live.api.get("/_local/inspector/overview")) == "control-refused"


def test_the_token_in_the_query_opens_nothing(live):
    token = live.started.client.control_token
    assert problem_code(live.http.get(f"/_local/inspector/overview?token={token}")) == "control-refused"


def test_there_is_no_inspector_behind_a_proxy_but_on_the_control_port():
    config = replace(QUIET, behind_proxy=True, public_url="https://twin.test", control_port=0)
    with running_server(config) as started:
        host, port = started.address
        public = httpx.Client(
            base_url=f"http://{host}:{port}", headers={"Host": "twin.test"}, trust_env=False, timeout=120
        )
        control = httpx.Client(base_url=started.client.control_url, trust_env=False, timeout=120)
        token = {"Authorization": f"Bearer {started.client.control_token}"}
        with public, control:
            for path in ("/", "/inspector/page.js", "/_local/inspector/overview"):
                assert problem_code(public.get(path, headers=token)) == "not-found"
                assert control.get(path, headers=token).status_code == 200
        assert started.inspector_url == f"{started.client.control_url}/"
    with running_server(replace(config, control_port=None)) as started:
        assert started.inspector_url is None


def test_a_view_that_there_is_not(live):
    assert problem_code(live.control.get("/_local/inspector/<script>")) == "not-found"


def test_the_views_are_those_of_the_document_and_the_tabs():
    (parameter,) = (
        one
        for one in CONTROL.document()["paths"][VIEW_PATH]["get"]["parameters"]
        if "name" in one and one["name"] == "view"
    )
    assert list(TABS) == parameter["schema"]["enum"]
    assert set(VIEWS) == set(TABS)


def test_looking_leaves_no_trace_in_the_journal(live):
    assert {one.template for pages in (inspector_page, viewer_resources) for one in pages()} == PAGES
    before = live.control.get("/_local/wait").json()
    for path in ("/", "/inspector/page.js", "/docs"):
        live.http.get(path)
    assert live.control.get(f"/_local/wait?since={before['cursor']}").json()["requests"] == 0


# --- what they say ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", VIEWS)
def test_an_empty_server_says_what_to_do_next(view):
    with live_server() as caller:
        said = look(caller, view).text
    assert view == "clock" or "reinmaker " in said


def test_a_rejected_manifest_says_asset_by_asset_what_was_expected_and_found_and_why(scene):
    listed = look(scene.caller, "manifests")
    assert f"#{place('manifests', id=REJECTED)[1:]}" in listed.attributes["href"]
    said = look(scene.caller, "manifests", id=REJECTED).text
    found = scene.caller.status(REJECTED).json()["validation"]["errors"]
    assert {error["code"] for error in found} == {"asset-bytes", "asset-hash", "asset-unreachable"}
    for error in found:
        values = [error["assetId"], error["detail"]]
        if error["code"] == "asset-hash":
            values += [error["expected"], error["found"]]
        assert all(value in said for value in values)
    assert "What to do: what lies there is never replaced" in said
    assert f"s3://lotd-reinmaker-assets/{REJECTED}/welcome." in said
    assert "players have no version" in said


def test_a_manifest_shows_its_history_and_its_assets(scene):
    history = scene.caller.control.get("/_local/inspector/manifests", params={"id": ACTIVE}).text
    (older,) = re.findall(r"submission=(sub_[0-9a-f]+)[^>]*><code>2027.01.04<", history)
    newest, older_one = (
        look(scene.caller, "manifests", id=ACTIVE),
        look(scene.caller, "manifests", id=ACTIVE, submission=older),
    )
    assert "superseded" in newest.text
    assert "players have it" in newest.text
    assert "players have 2027.01.11" in older_one.text
    assert all(name in newest.text for name in ("welcome-mp3", "overlay-cloud-png", "durationMs", "64x36"))


def test_a_delivery_shows_each_attempt_and_what_was_signed(scene):
    dead = scene.caller.control.get("/_local/webhooks/deliveries?status=dead").json()["items"][0]
    read = look(scene.caller, "deliveries", id=dead["deliveryId"])
    received = [one for one in scene.silent.received if one.id == dead["eventId"]]
    assert len(received) == 6
    for since in ("+0 s", "+30 s", "+2 m 30 s", "+12 m 30 s", "+1 h 12 m", "+7 h 12 m"):
        assert since in read.text
    for one in received:
        signed = f"{one.id}.{one.headers['webhook-timestamp']}.".encode() + one.body
        assert hashlib.sha256(signed).hexdigest() in read.attributes["data-copy"]
        assert f"{one.id}.{one.headers['webhook-timestamp']}." + '{"type":"reinmaker.entitlement.updated"' in read.text
    assert any(label.startswith("6 attempts: after 0 s 503, after 30 s 503") for label in read.attributes["aria-label"])


def test_an_event_is_shown_as_signed_unless_a_user_is_in_it(scene):
    one = scene.caller.control.get("/_local/webhooks/deliveries?status=open").json()["items"][0]
    last = scene.silent.received[-1]
    assert last.body.decode() in look(scene.caller, "deliveries", id=one["deliveryId"]).text


def test_dead_letters_limits_faults_and_the_clock(scene):
    assert "HTTP 503" in look(scene.caller, "dead-letters").text
    limits = look(scene.caller, "limits")
    assert any(re.fullmatch(r"[1-9] of 120 requests", label) for label in limits.attributes["aria-label"])
    assert "sendEvents" in look(scene.caller, "faults").text
    assert "stands still" in look(scene.caller, "clock").text


def test_requests_show_what_they_caused(scene):
    read = look(scene.caller, "requests")
    assert "POST /v1/content/manifests" in read.text
    assert any(address.startswith("#/deliveries?id=del_") for address in read.attributes["href"])
    refused = look(scene.caller, "requests", status="4xx").text
    assert "quota-exceeded" in refused
    assert "POST /_local/clock" not in refused


def test_no_secret_and_no_user_is_in_any_view(scene):
    client = scene.caller.started.client
    secrets = [
        client.client_secret,
        client.control_token,
        scene.caller.api.headers["Authorization"][7:],
        USER,
        "not-shown",
    ]
    for view, query in [*((view, {}) for view in VIEWS), *detail_views(scene.caller)]:
        html = scene.caller.control.get(f"/_local/inspector/{view}", params=query).text
        assert [secret for secret in secrets if secret in html] == []
        assert "whsec_" not in html


def test_a_verdict_by_hand_can_be_given(manual):
    manual.submit(manifest("by-hand"), wait=None)
    sent = look(manual, "manifests", id="by-hand").attributes["data-send"]
    assert "POST /_local/decide" in sent
    assert manual.decide("by-hand", "2026.11.23", "active").status_code == 200
    assert "POST /_local/decide" not in look(manual, "manifests", id="by-hand").attributes.get("data-send", ())


def test_of_a_large_manifest_the_first_assets_are_shown(live):
    assert live.submit(large_manifest(5000, "inspected")).json()["status"] == "active"
    said = look(live, "manifests", id="inspected").text
    assert "The first 100 of 5,000." in said
    assert "overlays-water-cycle-000099-png" in said


def test_news_come_to_who_waits_for_them():
    with live_server() as caller:
        news_come(caller)


def news_come(live: Caller) -> None:
    first = live.control.get("/_local/inspector/manifests")
    known = {"If-None-Match": first.headers["etag"], "Prefer": "wait=20"}
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(live.control.get, "/_local/inspector/manifests", headers=known)
        live.submit(manifest("news"))
        answer = waiting.result()
    assert answer.status_code == 200
    assert "news" in answer.text
    known["If-None-Match"], known["Prefer"] = live.control.get("/_local/inspector/clock").headers["etag"], "wait=0"
    assert live.control.get("/_local/inspector/clock", headers=known).status_code == 304


# --- nothing that was sent is markup ---------------------------------------------------------------------------------


def test_hostile_values_are_text_in_every_view(hostile):
    seen = ""
    for view, query in [*((view, {}) for view in VIEWS), *detail_views(hostile)]:
        seen += look(hostile, view, **query).text
    for attack in ATTACKS:
        assert seen.count(attack) >= 5, attack
    assert "%3Cscript%3E&quot;" in look(hostile, "manifests", id=HOSTILE).text


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_asked_for_is_text_too(live, attack):
    for view, name in (("manifests", "id"), ("deliveries", "id"), ("requests", "trace"), ("requests", "status")):
        look(live, view, **{name: attack})


def test_markup_escapes_all_but_markup():
    shown = tag(
        "a", "<b>", [1, None, tag("br-like", "&")], href="#/x?a=1&b='\"", title="\"'<>&", hidden=False, open=True
    )
    attributes = 'href="#/x?a=1&amp;b=&#x27;&quot;" title="&quot;&#x27;&lt;&gt;&amp;" open'
    assert shown.text == f"<a {attributes}>&lt;b&gt;1<br-like>&amp;</br-like></a>"
    assert group("<", tag("wbr")).text == "&lt;<wbr>"


@pytest.mark.parametrize("attribute", ["onclick", "style", "a b", "a>"])
def test_markup_has_no_attribute_that_could_do_anything(attribute):
    with pytest.raises(ValueError):
        tag("p", **{attribute: "x"})


@pytest.mark.parametrize(
    "address", ["https://elsewhere.example", "//elsewhere.example", "javascript:alert(1)", "x", ""]
)
def test_markup_has_no_link_that_leads_away(address):
    with pytest.raises(ValueError):
        tag("a", "x", href=address)


# --- the pieces ------------------------------------------------------------------------------------------------------


def test_durations_sizes_and_times():
    assert [duration(seconds) for seconds in (0, 59.6, 150, 3600, 90_061)] == [
        "0 s",
        "1 m",
        "2 m 30 s",
        "1 h",
        "1 d 1 h",
    ]
    assert re.findall(r">([^<]+)<", "".join(size(count).text for count in (1, 1023, 1024, 16_749, 28_311_552))) == [
        *("1 B", "1023 B", "1.0 KiB", "16.4 KiB", "27.0 MiB"),
    ]
    assert "2027" not in re.sub(r' \w+="[^"]*"', "", moment(1_799_658_000, today=1_799_658_001).text)


def test_a_url_is_shown_without_what_may_be_a_secret():
    assert url_text("https://user:pass@hooks.example:8443/a?token=x#y").text == (
        '<code class="url">https://hooks.example:8443/a?…</code>'
    )
    assert "http://[" in url_text("http://[").text


def test_users_are_taken_out_of_bodies():
    with live_server() as caller, receiver() as there:
        caller.control.post("/_local/webhooks/endpoints", json={"url": there.url, "types": []})
        data = {"userId": 'a "quoted\\" one', "productTier": "reinmaker.game_pass", "status": "active"}
        caller.control.post("/_local/webhooks/trigger", json={"type": EventType.ENTITLEMENT_UPDATED, "data": data})
        [one] = there.wait_for(1)
    assert "quoted" not in without_users(one.body.decode())
    assert '"userId":"…","productTier"' in without_users(one.body.decode())
