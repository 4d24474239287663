"""What a receiver answers, on purpose: `500,500,drop,slow:6s,200` -> steps, one per delivery, the last one repeats."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from reinmaker_cli.contract import codes
from reinmaker_cli.errors import UsageError

MAX_SECONDS: Final = 86_400
EXAMPLE: Final = "500,500,drop,slow:6s,429:120s,200"

_STATUS = re.compile(r"([2-5][0-9][0-9])(?::([0-9]{1,5})s)?\Z")
_SLOW = re.compile(r"slow:([0-9]{1,5}(?:\.[0-9]{1,3})?)s(?::([2-5][0-9][0-9]))?\Z")


@dataclass(frozen=True, slots=True)
class Step:
    """One answer."""

    status: int | None
    """None: the connection is closed without an answer."""
    after_s: float = 0.0
    """How long it takes."""
    retry_after_s: int | None = None
    """Said in `Retry-After`."""

    def __str__(self) -> str:
        return "drop" if self.status is None else str(self.status)


class Script:
    """The answers in their order. Used by one thread at a time."""

    def __init__(self, steps: tuple[Step, ...] = (Step(200),)) -> None:
        self._steps = steps
        self._next = 0

    def next(self) -> Step:
        """Return the answer to the next delivery; the last one repeats."""
        step = self._steps[min(self._next, len(self._steps) - 1)]
        self._next += 1
        return step


def parse_script(text: str) -> Script:
    """Read `--respond`: statuses, `503:120s` with Retry-After, `drop`, `slow:6s` (then 200) or `slow:6s:500`."""
    return Script(tuple(_step(word.strip()) for word in text.split(",")))


def _step(word: str) -> Step:
    if word == "drop":
        return Step(None)
    if (match := _STATUS.match(word)) is not None:
        return Step(int(match[1]), retry_after_s=int(match[2]) if match[2] else None)
    if (match := _SLOW.match(word)) is not None and float(match[1]) <= MAX_SECONDS:
        return Step(int(match[2] or 200), after_s=float(match[1]))
    raise UsageError(f"--respond: no such answer: `{word}`", code=codes.USAGE, hint=f"such as `--respond {EXAMPLE}`")
