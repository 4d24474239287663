"""Two servers on one PostgreSQL: what they tell each other, and that both act on what either was told."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psycopg
import pytest

from reinmaker_cli.server.config import SqsTarget
from reinmaker_cli.server.deliveries import NEWS
from reinmaker_cli.server.store.session import CHANNEL
from tests.server.live import Caller, live_server, run_sql
from tests.server.receiver import receiver
from tests.server.test_forwarding import forwarded, front, kill_letters, moto, queue, sqs, taken
from tests.server.test_peers import pair
from tests.server.test_webhook_secrets import fetch, next_event, rotate, signs
from tests.server.test_webhooks import add_endpoint, request_content

__all__ = ["front", "moto", "pair", "sqs"]

EVENTS = 20
TOLD_AT_MOST = 4
"""News of one event: that it was written, claimed and delivered, and one turn of the other server that met it."""


THE_END = "the end"


def tell(url: str, topic: str) -> None:
    """Tell all what a third server would."""
    told = json.dumps({"by": 0, "topics": [topic]})
    run_sql(url, f"NOTIFY {CHANNEL}, '{told}'")


@pytest.mark.parametrize("payload", ["", "no JSON", "[]", '{"by": 1}', '{"by": 1, "topics": 5}', "[" * 7000])
def test_what_is_no_news_of_a_server_silences_nobody(pair, url, payload):
    run_sql(url, f"NOTIFY {CHANNEL}, '{payload}'")
    both_have_followed(pair)


@contextmanager
def listening(url: str) -> Iterator[list[str]]:
    """Yield the topics of all news, whoever tells it; whole when the block has been left."""
    told: list[str] = []
    with psycopg.connect(url, autocommit=True) as listener:
        listener.execute(f"LISTEN {CHANNEL}")
        yield told
        tell(url, THE_END)
        for notice in listener.notifies():
            told += json.loads(notice.payload)["topics"]
            if told[-1] == THE_END:
                break


def both_have_followed(pair: tuple[Caller, Caller]) -> None:
    """Return when both have taken up all that was told before: each waits until the other has what is new."""
    for one in pair:
        assert one.control.post("/_local/faults", json={"kind": "latency", "delaySeconds": 0.001}).status_code == 201
        assert one.control.delete("/_local/faults").status_code == 200


def test_news_of_deliveries_does_not_make_more_news_for_ever(pair, url):
    """Two idle servers once woke each other 500 times a second."""
    with receiver() as there, listening(url) as told:
        add_endpoint(pair[0], there.url)
        for number in range(EVENTS):
            request_content(pair[number % 2])
        there.wait_for(EVENTS)
        while run_sql(url, "SELECT count(*) FROM webhook_deliveries WHERE status = 'open'")[0]["count"]:
            pass
        for _ in range(EVENTS):
            tell(url, NEWS)
            both_have_followed(pair)
    news = Counter(told)[NEWS]
    assert EVENTS < news - EVENTS <= TOLD_AT_MOST * EVENTS


def test_each_dead_letter_is_forwarded_once_by_one_of_two_at_a_time(url, sqs, front):
    queued, under_way, most = queue(sqs), threading.Semaphore(1), []

    def on_batch(_document, passed_on):
        most.append(under_way.acquire(blocking=False))
        try:
            return passed_on()
        finally:
            under_way.release()

    front.on_batch = on_batch
    target = SqsTarget(queued, "letters", "eu-west-1", queued)
    with live_server(database=url, dead_letters=target) as one, live_server(database=url, dead_letters=target) as other:
        died = kill_letters(one, 23)
        came = [json.loads(message["Body"])["deliveryId"] for message in taken(sqs, queued, 23)]
        forwarded(other, 23)
    assert sorted(came) == sorted(letter["deliveryId"] for letter in died)
    assert "Messages" not in sqs.receive_message(QueueUrl=queued), "once each, and both have stopped"
    assert all(most), "two batches at a time"


def test_a_signing_secret_that_one_rotates_signs_what_the_other_sends(url):
    with live_server(database=url) as stays, receiver() as there:
        with live_server(database=url) as leaves:
            endpoint = add_endpoint(stays, there.url)
            old, new = endpoint["signingSecret"], fetch(leaves, endpoint)
            next_event(stays, there)
            assert rotate(leaves, endpoint).status_code == 200
        assert signs(next_event(stays, there), old, new) == [True, True]


def test_client_secrets_that_one_rotates_are_those_of_the_other(pair):
    first, second = pair
    client = first.control.post("/_local/clients", json={}).json()
    secrets = [client["clientSecret"]]

    def statuses(one: Caller) -> list[int]:
        form = {"grant_type": "client_credentials"}
        auths = [httpx.BasicAuth(client["clientId"], secret) for secret in secrets]
        return [one.http.post("/oauth/token", data=form, auth=auth).status_code for auth in auths]

    assert statuses(second) == [200]
    for one in (first, second):
        rotated = one.control.post(f"/_local/clients/{client['clientId']}/rotate").json()
        secrets.append(rotated["clientSecret"])
    assert statuses(first) == statuses(second) == [401, 200, 200]
