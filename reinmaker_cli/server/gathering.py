"""Writes to connections, gathered for a turn of the event loop: an answer is one call to the system, not one for its
head and one for its body, and the answers of a turn go out one after the other. To hand bytes to TCP takes as long as
most routes, and longer where it wakes up who waits for them: who is awake already takes the next ones as they come.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final
from weakref import WeakKeyDictionary

MOST_HELD_BYTES: Final = 64 * 1024
"""More is handed on at once: whoever writes without end is to learn that the other side reads slowly."""


class Turn:
    """What was written in this turn of a loop."""

    def __init__(self) -> None:
        self._written: list[GatheringTransport] = []

    def add(self, transport: GatheringTransport) -> None:
        """Let the transport hand on what it holds before the loop waits again."""
        if not self._written:
            asyncio.get_running_loop().call_soon(self._hand_on)
        self._written.append(transport)

    def _hand_on(self) -> None:
        written, self._written = self._written, []
        for transport in written:
            transport.hand_on()


class GatheringTransport:
    """A transport whose writes are handed on together before the loop waits again, and before it is ended.

    The loop ends it by itself once the other side has said that it sends no more: `hand_on` comes first there.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._turn = transport, turn_of(loop)
        self._held = b""
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        """Write the bytes, in this turn of the loop."""
        if self._held:
            self._held += data
        elif data:
            self._held = data
            self._turn.add(self)
        if len(self._held) > MOST_HELD_BYTES:
            self.hand_on()

    def close(self) -> None:
        """Close the connection once what was written is sent."""
        self.hand_on()
        self._transport.close()

    def abort(self) -> None:
        """End the connection at once; what was written may be on its way."""
        self.hand_on()
        self._transport.abort()

    def hand_on(self) -> None:
        """Hand on what was written by now."""
        if self._held:
            written, self._held = self._held, b""
            self._transport.write(written)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def turn_of(loop: asyncio.AbstractEventLoop) -> Turn:
    """Return what gathers the writes of the loop's connections."""
    turn = _TURNS.get(loop)
    if turn is None:
        turn = _TURNS[loop] = Turn()
    return turn


_TURNS: WeakKeyDictionary[asyncio.AbstractEventLoop, Turn] = WeakKeyDictionary()
