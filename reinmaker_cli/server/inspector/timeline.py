"""A delivery as a drawing: its attempts and the next one, on a line of time that is wide where they are close."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import Final

from reinmaker_cli.server.inspector.markup import Html, tag
from reinmaker_cli.server.inspector.parts import duration
from reinmaker_cli.server.retries import CONTRACT_SCHEDULE
from reinmaker_cli.server.store.webhook_records import StoredAttempt, StoredDelivery

WIDTH: Final = 360
"""Of the drawing, in its own units."""
_LEFT, _RIGHT, _MIDDLE, _HEIGHT = 8, 24, 11, 34
_FINE_S: Final = 8.0
"""Below this the line is even, above it each step is a multiple: half a minute and six hours both find their place."""
_TICKS_S: Final = (*accumulate(CONTRACT_SCHEDULE.delays_s), 604_800)
"""Where the schedule of the contract has its attempts, counted from the first; and a week, for what comes later."""


def timeline(delivery: StoredDelivery) -> Html:
    """Return the drawing, and in words what it shows."""
    began = delivery.created_at
    due = delivery.due_at if delivery.status == "open" else None
    ends = [attempt.started_at - began for attempt in delivery.attempts] + ([due - began] if due else [])
    length_s = max([sum(CONTRACT_SCHEDULE.delays_s), *ends])
    line = tag("line", x1=_LEFT, x2=WIDTH - _RIGHT, y1=_MIDDLE, y2=_MIDDLE, class_="line")
    ticks = [_tick(seconds, length_s) for seconds in _TICKS_S if seconds <= length_s]
    attempts = [_attempt(attempt, _x(attempt.started_at - began, length_s)) for attempt in delivery.attempts]
    next_one = None if due is None else tag("circle", cx=_x(due - began, length_s), cy=_MIDDLE, r=5, class_="due")
    return tag(
        "svg",
        *(line, ticks, next_one, attempts),
        class_="timeline",
        viewBox=f"0 0 {WIDTH} {_HEIGHT}",
        role="img",
        aria_label=in_words(delivery),
    )


def in_words(delivery: StoredDelivery) -> str:
    """Return what the drawing shows."""
    said = [f"{_since(delivery, one.started_at)} {answer_of(one)}" for one in delivery.attempts]
    if delivery.status == "open" and delivery.due_at is not None:
        said.append(f"next due {_since(delivery, delivery.due_at)}")
    return f"{len(delivery.attempts)} attempts: " + ", ".join(said)


def answer_of(attempt: StoredAttempt) -> str:
    """Return what came of an attempt in a word or two."""
    return str(attempt.status) if attempt.status is not None else attempt.outcome


def _since(delivery: StoredDelivery, at: float) -> str:
    return f"after {duration(max(0.0, at - delivery.created_at))}"


def _x(seconds: float, length_s: float) -> float:
    part = math.log1p(max(0.0, seconds) / _FINE_S) / math.log1p(length_s / _FINE_S)
    return round(_LEFT + part * (WIDTH - _LEFT - _RIGHT), 1)


def _tick(seconds: float, length_s: float) -> Html:
    x = _x(seconds, length_s)
    line = tag("line", x1=x, x2=x, y1=_MIDDLE - 3, y2=_MIDDLE + 3, class_="line")
    return tag("g", line, tag("text", duration(seconds), x=x, y=_HEIGHT - 4, text_anchor="middle"))


def _attempt(attempt: StoredAttempt, x: float) -> Html:
    """Return a full disc for one that arrived, a cross for one that did not; a resend stands a little higher."""
    y = _MIDDLE - (4 if attempt.kind == "resend" else 0)
    title = tag("title", f"attempt {attempt.attempt}: {answer_of(attempt)}")
    if attempt.outcome == "delivered":
        return tag("g", title, tag("circle", cx=x, cy=y, r=5), class_="arrived")
    arms = [tag("line", x1=x - 4, y1=y - slope, x2=x + 4, y2=y + slope) for slope in (4, -4)]
    return tag("g", title, arms, class_="missed")
