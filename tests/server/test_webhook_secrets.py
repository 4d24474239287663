"""The signing secret of an endpoint: shown once, followed by the next after 60 days, or when somebody rotates it."""

from __future__ import annotations

import time

import pytest

from reinmaker_cli.contract import signing
from reinmaker_cli.server.clock import DAY_S, VirtualClock
from tests.server.live import Caller, live_server, problem_code
from tests.server.receiver import Received, Receiver, receiver
from tests.server.test_webhooks import HOOKS, NOON, add_endpoint, advance, request_content


@pytest.fixture
def caller():
    with live_server(clock=VirtualClock(NOON)) as caller:
        yield caller


@pytest.fixture
def there():
    with receiver() as there:
        yield there


def path_of(endpoint: dict) -> str:
    return f"{HOOKS}/endpoints/{endpoint['endpointId']}"


def fetch(caller: Caller, endpoint: dict, which: str = "next") -> str:
    fetched = caller.control.post(path_of(endpoint) + "/secret", json={"which": which})
    assert fetched.status_code == 200, fetched.text
    assert fetched.headers["cache-control"] == "no-store"
    return fetched.json()["signingSecret"]


def rotate(caller: Caller, endpoint: dict, **asked):
    return caller.control.post(path_of(endpoint) + "/rotate", json=asked)


def state(caller: Caller, endpoint: dict) -> dict:
    return caller.control.get(path_of(endpoint)).json()["secret"]


def rotation(caller: Caller) -> str:
    return caller.http.get("/v1/health").json()["checks"]["rotation"]["status"]


def next_event(caller: Caller, there: Receiver) -> Received:
    """Cause an event and return its POST."""
    before = len(there.received)
    request_content(caller)
    return there.wait_for(before + 1)[-1]


def signs(got: Received, *secrets: str) -> list[bool]:
    """Return of each secret whether the event verifies with it alone."""
    found = [signing.verify([signing.secret_bytes(one)], got.headers, got.body, now=time.time()) for one in secrets]
    return [isinstance(one, signing.Verified) for one in found]


def count_of_signatures(got: Received) -> int:
    return len(got.headers["webhook-signature"].split(" "))


def test_before_during_and_after_a_rotation_the_right_secrets_sign(caller, there):
    endpoint = add_endpoint(caller, there.url)
    old, new = endpoint["signingSecret"], fetch(caller, endpoint)
    assert signs(next_event(caller, there), old, new) == [True, False]
    assert rotate(caller, endpoint).status_code == 200
    during = next_event(caller, there)
    assert signs(during, old, new) == [True, True]
    first = during.headers["webhook-signature"].split(" ")[0]
    assert first == signing.sign(
        signing.secret_bytes(new), during.id, int(during.headers["webhook-timestamp"]), during.body
    )  # newest first
    advance(caller, DAY_S - 1)
    assert count_of_signatures(next_event(caller, there)) == 2
    advance(caller, 1)
    after = next_event(caller, there)
    assert (signs(after, old, new), count_of_signatures(after)) == ([False, True], 1)


@pytest.mark.parametrize(("overlap_s", "count"), [(0, 1), (7 * DAY_S, 2)])
def test_the_overlap_is_from_none_to_seven_days(caller, there, overlap_s, count):
    endpoint = add_endpoint(caller, there.url)
    fetch(caller, endpoint)
    assert rotate(caller, endpoint, overlapSeconds=overlap_s).status_code == 200
    assert count_of_signatures(next_event(caller, there)) == count


@pytest.mark.parametrize("overlap_s", [-1, 7 * DAY_S + 1, "1", True, None])
def test_another_overlap_is_refused(caller, there, overlap_s):
    endpoint = add_endpoint(caller, there.url)
    assert problem_code(rotate(caller, endpoint, overlapSeconds=overlap_s)) == "request-invalid"


def test_nothing_takes_over_that_nobody_fetched(caller, there):
    endpoint = add_endpoint(caller, there.url)
    assert problem_code(rotate(caller, endpoint)) == "next-secret-unfetched"
    advance(caller, 54 * DAY_S)
    assert problem_code(rotate(caller, endpoint)) == "next-secret-unfetched"


def test_the_next_secret_is_made_a_week_before_and_takes_over_at_60_days(caller, there):
    endpoint = add_endpoint(caller, there.url)
    assert state(caller, endpoint)["rotatesAt"] == "2027-01-22T12:00:00.000Z"
    advance(caller, 53 * DAY_S - 1)
    assert (state(caller, endpoint)["nextReady"], rotation(caller)) == (False, "ok")
    advance(caller, 1)
    assert (state(caller, endpoint)["nextReady"], rotation(caller)) == (True, "due")
    new = fetch(caller, endpoint)
    assert fetch(caller, endpoint) == new  # as often as needed until it takes over
    assert (state(caller, endpoint)["nextFetched"], rotation(caller)) == (True, "ok")
    advance(caller, 7 * DAY_S)
    assert signs(next_event(caller, there), endpoint["signingSecret"], new) == [True, True]
    now = state(caller, endpoint)
    assert (now["nextReady"], now["overdue"], now["rotatesAt"]) == (False, False, "2027-03-23T12:00:00.000Z")
    assert problem_code(caller.control.post(path_of(endpoint) + "/secret", json={"which": "current"})) == "secret-shown"


def test_in_one_move_over_years_each_rotation_waits_for_somebody(caller, there):
    endpoint = add_endpoint(caller, there.url)
    advance(caller, 1000 * DAY_S)
    assert state(caller, endpoint)["overdue"] is True
    assert rotation(caller) == "overdue"
    assert signs(next_event(caller, there), endpoint["signingSecret"]) == [True]
    new = fetch(caller, endpoint)  # overdue, so it takes over at once, and the old one signs for a day yet
    assert signs(next_event(caller, there), endpoint["signingSecret"], new) == [True, True]
    assert (state(caller, endpoint)["overdue"], rotation(caller)) == (False, "ok")


def test_the_secret_of_an_option_is_fetched_once(there):
    with live_server(webhooks=(((), there.url),)) as caller:
        [endpoint] = caller.control.get(HOOKS + "/endpoints").json()["items"]
        assert endpoint["source"] == "option"
        secret = fetch(caller, endpoint, "current")
        again = caller.control.post(path_of(endpoint) + "/secret", json={"which": "current"})
        assert problem_code(again) == "secret-shown"
        assert signs(next_event(caller, there), secret) == [True]


@pytest.mark.sqlite  # PostgreSQL leaves bytes in its files and log until they are written over: docs/deploy.md
def test_a_removed_endpoint_has_no_secret_any_more(caller, there):
    endpoint = add_endpoint(caller, there.url)
    assert caller.control.delete(path_of(endpoint)).status_code == 204
    assert problem_code(caller.control.get(path_of(endpoint))) == "webhook-not-found"
    assert caller.control.get(HOOKS + "/endpoints").json() == {"items": []}
    secret = endpoint["signingSecret"].encode()
    wal = caller.started.data / "reinmaker.sqlite3-wal"
    caller.control.post("/_local/forget", json={"userId": "nobody"})  # writes the file anew
    assert secret not in (caller.started.data / "reinmaker.sqlite3").read_bytes()
    assert secret not in wal.read_bytes()


# --- which endpoints there may be ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://receiver.example/", "receiver.example", "https://", "http://10.0.0.1/", "http://192.168.0.1:9000/"),
        *("https://169.254.169.254/", "https://[::ffff:169.254.169.254]/", "https://0/", "https://u:p@receiver.example/"),
        *("http://2852039166/", "https://0xA9FEA9FE/", "https://receiver.example:70000/", "x" * 3000),
    ],
)  # fmt: skip
def test_a_url_that_cannot_be_asked_is_refused(caller, url):
    assert problem_code(caller.control.post(HOOKS + "/endpoints", json={"url": url})) == "request-invalid"


@pytest.mark.parametrize("types", ["all", [1], ["reinmaker.other"], None])
def test_types_that_there_are_not_are_refused(caller, types):
    asked = {"url": "https://receiver.example/", "types": types}
    assert problem_code(caller.control.post(HOOKS + "/endpoints", json=asked)) == "request-invalid"


def test_who_waits_is_told_of_a_delivery(caller, there):
    endpoint = add_endpoint(caller, there.url)
    known = {"If-None-Match": caller.control.get(path_of(endpoint)).headers["etag"], "Prefer": "wait=30"}
    request_content(caller)
    shown = caller.control.get(path_of(endpoint), headers=known)
    assert shown.status_code == 200
    while shown.json()["lastDeliveredAt"] is None:  # told of the event first, perhaps
        shown = caller.control.get(path_of(endpoint), headers=known | {"If-None-Match": shown.headers["etag"]})
    assert shown.json()["open"] == 0
