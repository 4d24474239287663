"""The wall clock under the server jumps back and forth, as clocks that are set by hand or by a network do."""

import random
from collections import Counter

from reinmaker_cli.server.clock import DAY_S, WallClock
from tests.server.live import QUIET, event, live_server, manifest, problem_code
from tests.server.receiver import OK, receiver

JUMPS = 40
TOKEN_LIFE_S = 15 * 60


def test_a_clock_that_jumps_ends_nothing_early_and_locks_nobody_out(say):
    chance, clock, statuses, told = random.Random(3), WallClock(), Counter(), set()
    with (
        receiver(lambda *_: OK) as there,
        live_server(QUIET, clock=clock, limits="on", webhooks=(((), there.url),)) as caller,
    ):
        for number in range(JUMPS):
            offset_s, token = clock.setting, caller.token()
            clock.put(chance.uniform(-DAY_S, DAY_S) if number % 2 else offset_s + chance.uniform(-600, 600))
            caller.api.headers["Authorization"] = f"Bearer {token}"
            answer = caller.submit(manifest(f"before-{number}"))
            statuses[answer.status_code] += 1
            if answer.status_code == 401:
                assert problem_code(answer) == "token-invalid"
                assert clock.setting - offset_s > TOKEN_LIFE_S - 60, "a token ended early"
            caller.api.headers["Authorization"] = f"Bearer {caller.token()}"
            assert caller.submit(manifest(f"after-{number}")).json()["status"] == "active"
            batch = caller.send([event()])
            assert batch.status_code == 202
            told.add(batch.json()["batchId"])
        clock.put(DAY_S)
        received = there.wait_for(JUMPS)
    untold = told - {one.document["data"]["batchId"] for one in received}
    say(f"{JUMPS} jumps, {statuses[401]} tokens ended by them, {len(told)} events told, {len(untold)} untold")
    assert untold == set()
    assert set(statuses) <= {200, 201, 202, 401}
