"""A line that breaks between the server and the receiver of its webhooks."""

import threading
from collections import defaultdict

from tests.e2e.changing import Load
from tests.e2e.test_webhooks import move_clock, statuses, told_by
from tests.faults import Fault, fault_proxy
from tests.server.receiver import answer, receiver


def answer_and_close(_received, connection):
    connection.sendall(answer(204))


def test_a_line_to_the_receiver_that_breaks_loses_no_webhook_and_changes_no_id(serve, say):
    load, until = Load(), threading.Event()
    kinds = ("drop", "reset", "cut", "refuse")
    with receiver(answer_and_close) as there:
        breaks = [Fault(nth, kinds[nth // 2 % 4], path=None) for nth in range(1, 60, 2)]
        with fault_proxy(there.url, *breaks) as line:
            server = serve("--webhook", line.url, "--limits", "off", "--log", "off")
            caller = threading.Thread(target=load.run, args=(server, until))
            caller.start()
            load.wait_for(60)
            until.set()
            caller.join()
            move_clock(server, 12 * 3600)  # until nothing is due any more
            server.stop()
        ids = defaultdict(set)
        for one in there.received:
            ids[told_by(one)].add(one.id)
    repeated = len(there.received) - len(ids)
    say(f"{len(breaks)} breaks, {len(load.acknowledged)} changes, {repeated} told again")
    assert len(line.requests) > 60, "not all breaks were met"
    assert load.acknowledged <= set(ids)
    assert all(len(found) == 1 for found in ids.values()), "told again under another webhook-id"
    assert statuses(server) == {"delivered"}
