"""Writes of one turn of the event loop are handed on together, in their order, and none is lost."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable

from starlette.applications import Starlette
from uvicorn.config import Config
from uvicorn.server import ServerState

from reinmaker_cli.server.gathering import MOST_HELD_BYTES, GatheringTransport, turn_of
from reinmaker_cli.server.wire import TimedProtocol


class Recorded(asyncio.Transport):
    """Writes down what it is told."""

    def __init__(self) -> None:
        super().__init__({"peername": "p"})
        self.told: list[bytes | str] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.told.append(bytes(data))

    def close(self) -> None:
        self.told.append("closed")

    def abort(self) -> None:
        self.told.append("aborted")


def told(*turns: Callable[[GatheringTransport], object]) -> list[bytes | str]:
    """Return what a transport was told in these turns of the loop, and in one more."""

    async def run() -> list[bytes | str]:
        recorded = Recorded()
        gathering = GatheringTransport(recorded, asyncio.get_running_loop())
        for turn in turns:
            turn(gathering)
            await asyncio.sleep(0)  # a turn
        return recorded.told

    return asyncio.run(run())


def test_what_is_written_in_a_turn_is_one_write() -> None:
    head_and_body, next_head = (lambda t: (t.write(b"head"), t.write(b"body"))), (lambda t: t.write(b"head2"))
    assert told(head_and_body, next_head) == [b"headbody", b"head2"]


def test_a_close_follows_what_was_written() -> None:
    assert told(lambda t: (t.write(b"head"), t.write(b"body"), t.close())) == [b"headbody", "closed"]


def test_an_end_at_once_follows_what_was_written() -> None:
    assert told(lambda t: (t.write(b"head"), t.write(b"body"), t.abort())) == [b"headbody", "aborted"]


def test_an_answer_to_who_sends_no_more_goes_before_the_loop_closes_the_connection() -> None:
    async def run() -> list[bytes | str]:
        recorded = Recorded()
        protocol = TimedProtocol(Config(Starlette(), log_config=None), ServerState(), {}, asyncio.get_running_loop())
        protocol.connection_made(recorded)
        protocol.transport.write(b"answer")
        assert not protocol.eof_received()  # then the loop closes the transport beneath
        recorded.close()
        found = list(recorded.told)
        protocol.connection_lost(None)
        return found

    assert asyncio.run(run()) == [b"answer", "closed"]


def test_the_connections_of_a_turn_are_written_to_at_its_end_one_after_the_other() -> None:
    async def run() -> list[list[bytes | str]]:
        recorded = [Recorded(), Recorded()]
        first, second = (GatheringTransport(one, asyncio.get_running_loop()) for one in recorded)
        second.write(b"a")
        first.write(b"b")
        second.write(b"c")
        assert [one.told for one in recorded] == [[], []]
        await asyncio.sleep(0)
        return [one.told for one in recorded]

    assert asyncio.run(run()) == [[b"b"], [b"ac"]]


def test_a_loop_that_has_ended_is_forgotten() -> None:
    loop = asyncio.new_event_loop()
    turn_of(loop)
    loop.close()
    ended = weakref.ref(loop)
    del loop
    gc.collect()
    assert ended() is None


def test_much_is_handed_on_at_once_and_in_order() -> None:
    much = b"m" * (MOST_HELD_BYTES + 1)
    found = told(lambda t: (t.write(b"head"), t.write(much), t.abort(), t.write(b"rest")))  # abort: after what came?
    assert found == [b"head" + much, "aborted", b"rest"]


def test_all_else_is_the_transports_own() -> None:
    found: list[str] = []
    told(lambda transport: found.append(transport.get_extra_info("peername")))
    assert found == ["p"]
