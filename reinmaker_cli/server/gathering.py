"""Writes to a connection, gathered for a turn of the event loop: an answer is one call to the system, not one for its
head and one for its body. To hand bytes to TCP takes as long as most routes.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

MOST_HELD_BYTES: Final = 64 * 1024
"""More is handed on at once: whoever writes without end is to learn that the other side reads slowly."""


class GatheringTransport:
    """A transport whose writes are handed on together before the loop waits again, and before it is ended.

    The loop ends it by itself once the other side has said that it sends no more: `hand_on` comes first there.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._held: list[bytes] = []
        self._held_bytes = 0

    def write(self, data: bytes) -> None:
        """Write the bytes, in this turn of the loop."""
        if not self._held:
            self._loop.call_soon(self.hand_on)
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > MOST_HELD_BYTES:
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
            written, self._held, self._held_bytes = b"".join(self._held), [], 0
            self._transport.write(written)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
