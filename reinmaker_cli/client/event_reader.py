"""Text of any length -> the events in it, one by one: JSON Lines or one JSON array, in constant memory.

Only the borders between events are looked for here, as bytes; each event's own text is then read by `read_ijson`, the
reader that the server has too. So what is sent is what was read, a wrong event does not end the reading, and every
place has its line. A general streaming parser (ijson) was looked at: it gives values without their text and lines, and
stops at the first mistake.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from reinmaker_cli.contract import codes
from reinmaker_cli.contract.names import MAX_EVENTS_BYTES
from reinmaker_cli.errors import UsageError

READ_BYTES: Final = 64 * 1024
ENVELOPE: Final = (b'{"events":[', b"]}")
MAX_EVENT_BYTES: Final = MAX_EVENTS_BYTES - sum(map(len, ENVELOPE))  # a batch of this one event

_BLANK: Final = b" \t\r\n"  # RFC 8259 section 2
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
# Over whole strings and all that does not matter, to the next character that does; a quote there begins a string whose
# end has not come yet. Possessive, and with an end of its own: no text makes it look at anything twice.
_BORDERS: Final = re.compile(rb'(?:[^"\[\]{},]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+(["\[\]{},]|\Z)', re.DOTALL)


@dataclass(frozen=True, slots=True)
class EventText:
    """The JSON text of one event."""

    line: int
    """Where it starts, counted from 1."""
    raw: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A place where no event can be told from the next."""

    line: int
    fact: str


Piece = EventText | Unreadable


def chunks_of(file: BinaryIO, path: str = "-") -> Iterator[bytes]:
    """Yield what a file or pipe has, as it comes. UsageError, with `path`, where the system stops giving."""
    read = getattr(file, "read1", file.read)  # `read` would wait for a pipe to fill the whole chunk
    while True:
        try:
            chunk = read(READ_BYTES)
        except OSError as error:
            raise UsageError(
                f"cannot read on in `{path}`: {(error.strerror or str(error)).lower()}",
                code=codes.UNREADABLE,
                hint="check the disk or network drive, then run the same command again: events are counted once",
            ) from error
        if not chunk:
            return
        yield chunk


def read_events(chunks: Iterable[bytes]) -> Iterator[Piece]:
    """Yield each event's text, however the text is cut into chunks. A text that starts with `[` is one array."""
    reader: _Lines | _Array | None = None
    line = 1
    for chunk in _without_mark(chunks):
        if reader is not None:
            yield from reader.feed(chunk)
        elif text := chunk.lstrip(_BLANK):
            line += chunk.count(b"\n", 0, len(chunk) - len(text))
            reader = _Array(line) if text.startswith(b"[") else _Lines(line)
            yield from reader.feed(text.removeprefix(b"[") if isinstance(reader, _Array) else text)
        else:
            line += chunk.count(b"\n")
        if reader is not None and reader.is_over:
            return
    if reader is not None:
        yield from reader.finish()


def _without_mark(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the chunks without the mark that some editors put before UTF-8."""
    rest = iter(chunks)
    start = b""
    for chunk in rest:
        start += chunk
        if len(start) >= len(_BYTE_ORDER_MARK):
            break
    yield start.removeprefix(_BYTE_ORDER_MARK)
    yield from rest


def _too_long(line: int) -> Unreadable:
    return Unreadable(line, f"an event of more than {MAX_EVENT_BYTES} bytes")


class _Lines:
    """One event a line."""

    is_over = False

    def __init__(self, line: int) -> None:
        self._line = line
        self._rest = b""
        self._is_skipping = False
        """The line that is being read was too long, and has been reported."""

    def feed(self, chunk: bytes) -> Iterator[Piece]:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for raw in lines:
            yield from self._take(raw)
            self._line += 1
            self._is_skipping = False
        if self._is_skipping:
            self._rest = b""
        elif len(self._rest) > MAX_EVENT_BYTES + 1:  # a \r may still belong to the line's end
            yield _too_long(self._line)
            self._is_skipping, self._rest = True, b""

    def finish(self) -> Iterator[Piece]:
        yield from self._take(self._rest)

    def _take(self, raw: bytes) -> Iterator[Piece]:
        raw = raw.strip(_BLANK)
        if raw and not self._is_skipping:
            yield EventText(self._line, raw) if len(raw) <= MAX_EVENT_BYTES else _too_long(self._line)


class _Array:
    """One array of events, after its opening bracket."""

    def __init__(self, line: int) -> None:
        self.is_over = False
        """Nothing more can be read: the text goes on where it must not, or no end of an event is in sight."""
        self._line = line
        self._text = b""
        """What follows the last event; `_line` is where it starts."""
        self._scanned = 0
        self._depth = 0
        self._has_events = False
        self._is_closed = False

    def feed(self, chunk: bytes) -> Iterator[Piece]:
        self._text += chunk
        if not self._is_closed:
            yield from self._scan()
        if self._is_closed and self._text.strip(_BLANK):
            self.is_over = True
            yield Unreadable(self._first_line(self._text), "text after the end of the array")
        elif self._is_closed:
            self._line += self._text.count(b"\n")
            self._text = b""
        elif len(self._text) > MAX_EVENT_BYTES + READ_BYTES:
            self.is_over = True
            yield _too_long(self._first_line(self._text))

    def finish(self) -> Iterator[Piece]:
        if not self._is_closed:
            yield Unreadable(
                self._first_line(self._text), "the array has no end: the file is cut short, or a quote is missing"
            )

    def _scan(self) -> Iterator[Piece]:
        start, depth, end = 0, self._depth, self._scanned
        for match in _BORDERS.finditer(self._text, self._scanned):
            border, end = match[1], match.end()
            if border in (b"{", b"["):
                depth += 1
            elif border in (b"}", b"]") and depth:
                depth -= 1
            elif border in (b",", b"]") and not depth:
                self._is_closed = border == b"]"
                yield from self._event(self._text[start : end - 1])
                start = end
                if self._is_closed:
                    break
            elif border == b'"':
                end -= 1  # to be looked at again, with what follows
                break
        self._depth, self._scanned = depth, end - start
        self._text = self._text[start:]

    def _event(self, text: bytes) -> Iterator[Piece]:
        raw, line = text.strip(_BLANK), self._first_line(text)
        self._line += text.count(b"\n")
        if len(raw) > MAX_EVENT_BYTES:
            yield _too_long(line)
        elif raw:
            yield EventText(line, raw)
        elif self._has_events or not self._is_closed:  # `[]` is whole, `[,]` and `[{},]` are not
            yield Unreadable(line, "no event between two commas, or after the last one")
        self._has_events = True

    def _first_line(self, text: bytes) -> int:
        """Return the line of the first byte that is not blank, in a text that starts at `_line`."""
        return self._line + text.count(b"\n", 0, len(text) - len(text.lstrip(_BLANK)))
