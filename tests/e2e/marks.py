"""Secrets that are looked for afterwards, in every form in which programs write them down."""

from __future__ import annotations

import json
import threading
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus

PROCESSES = Path("/proc")
LOOK_EVERY_S = 0.1


@dataclass(frozen=True)
class Mark:
    """A secret, and who has it."""

    name: str
    secret: str
    id: str = "id"

    @property
    def forms(self) -> frozenset[bytes]:
        """As it stands, in JSON, in forms and URLs; base64 of `id:secret`; base64 of any text around it."""
        texts = {self.secret, quote_plus(self.secret), quote(self.secret, safe="")}
        pairs = {f"{self.id}:{self.secret}", f"{quote_plus(self.id)}:{quote_plus(self.secret)}"}
        plain = {text.encode() for text in texts} | {json.dumps(self.secret)[1:-1].encode()}
        coded = {code(pair.encode()).rstrip(b"=") for pair in pairs for code in (b64encode, urlsafe_b64encode)}
        return frozenset(plain | coded | {part for text in texts for part in _aligned(text.encode())})


def _aligned(secret: bytes) -> Iterator[bytes]:
    """What stays of the secret's base64 whatever stands before and behind it: three alignments, two alphabets."""
    for before in range(3):
        first, whole = -(-before * 8 // 6), (before + len(secret)) * 8 // 6
        for code in (b64encode, urlsafe_b64encode):
            yield code(bytes(before) + secret)[first:whole]


def found(marks: Iterator[Mark] | list[Mark], places: dict[str, bytes]) -> set[tuple[str, str]]:
    """Return which secret stands where, in any form."""
    return {
        (mark.name, place)
        for mark in marks
        for form in mark.forms
        for place, content in places.items()
        if form in content
    }


@contextmanager
def command_lines() -> Iterator[set[bytes]]:
    """Yield the command lines of all processes of this machine, as `ps` shows them; more come until the block ends."""
    seen: set[bytes] = set()
    over = threading.Event()

    def look() -> None:
        while True:
            for file in PROCESSES.glob("[0-9]*/cmdline"):
                try:
                    seen.add(file.read_bytes())
                except OSError:
                    continue  # it has ended
            if over.wait(LOOK_EVERY_S):
                return

    watch = threading.Thread(target=look)
    watch.start()
    try:
        yield seen
    finally:
        over.set()
        watch.join()
