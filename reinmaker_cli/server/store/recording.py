"""Attempts that were made -> rows, and what follows from each: all that ended at a time, one statement of a kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, exists, insert, select, update

from reinmaker_cli.server.retries import Answered, DeadLetter, Decision, Delivered, RetryAt, Schedule, decide, reason_of
from reinmaker_cli.server.store.dead_letters import bury
from reinmaker_cli.server.store.endpoints import ENDPOINT_DISABLED, disable_endpoint
from reinmaker_cli.server.store.webhook_records import Sent
from reinmaker_cli.server.store.webhook_tables import webhook_attempts, webhook_deliveries, webhook_endpoints

# Made once: SQLAlchemy takes longer to make a statement than SQLite to carry it out.
_KNOWN = (
    select(
        *(webhook_deliveries.c.no, webhook_deliveries.c.delivery_id),
        *(webhook_deliveries.c.fence, webhook_deliveries.c.status),
    )
    .where(webhook_deliveries.c.no.in_(bindparam("wanted", expanding=True)))
    .order_by(webhook_deliveries.c.no)
    .with_for_update()
)
_RECORDED = select(
    *(webhook_attempts.c.delivery_no, webhook_attempts.c.kind, webhook_attempts.c.attempt),
    *(webhook_attempts.c.started_at, webhook_attempts.c.duration_ms),
)
_INSERT_ATTEMPTS = insert(webhook_attempts)
_THIS_ONE = webhook_deliveries.c.no == bindparam("this_no")
# A resend has a lease where several processes deliver.
_LET_GO = (
    update(webhook_deliveries)
    .where(_THIS_ONE, webhook_deliveries.c.leased_by.is_not(None))
    .values(leased_until=None, leased_by=None)
)
_MOVE_ON = (
    update(webhook_deliveries)
    .where(_THIS_ONE)
    .values(
        status=bindparam("then"),
        due_at=bindparam("then_due"),
        attempt=bindparam("made"),
        updated_at=bindparam("ended"),
        leased_until=None,
        leased_by=None,
    )
)
_HAS_DELIVERED = (
    update(webhook_endpoints)
    .where(webhook_endpoints.c.no == bindparam("this_no"))
    .values(last_delivered_at=bindparam("ended"))
)
_DISABLED = select(webhook_endpoints.c.no).where(
    ~webhook_endpoints.c.enabled, webhook_endpoints.c.no.in_(bindparam("wanted", expanding=True))
)
_IS_STRANDED = and_(
    webhook_deliveries.c.endpoint_no.in_(select(webhook_endpoints.c.no).where(~webhook_endpoints.c.enabled)),
    webhook_deliveries.c.status == "open",
    webhook_deliveries.c.leased_until.is_(None),
)
_HAS_STRANDED = select(exists().where(_IS_STRANDED))


class _Judged(NamedTuple):
    """An attempt at a delivery that is still there."""

    sent: Sent
    decision: Decision
    is_claim_good: bool
    """Nobody has claimed the delivery since; what follows from the attempt is its own to say."""
    is_open: bool

    @property
    def is_resend(self) -> bool:
        """Whether it was made beside the schedule, and changes nothing of it."""
        return self.sent.claimed.kind == "resend"


def unrecorded(connection: Connection, sent: Sequence[Sent]) -> Sequence[Sent]:
    """Return the attempts that are not written down; the others are, where the answer to a commit was lost."""
    mine = webhook_attempts.c.delivery_no.in_({one.claimed.no for one in sent})
    known = {tuple(row) for row in connection.execute(_RECORDED.where(mine))}
    return [
        one
        for one in sent
        if (one.claimed.no, one.claimed.kind, one.claimed.attempt, one.started_at, one.duration_ms) not in known
    ]


def record_attempts(connection: Connection, sent: Sequence[Sent], schedule: Schedule) -> None:
    """Write attempts down, and what follows from those whose claim still holds, in the caller's transaction."""
    judged = _judged(connection, sent, schedule)
    if not judged:
        return
    connection.execute(_INSERT_ATTEMPTS, [_attempt(one.sent, one.decision) for one in judged])
    _execute_each(connection, _HAS_DELIVERED, _newest_deliveries(judged))
    let_go = [one for one in judged if one.is_resend and one.is_claim_good]
    _execute_each(connection, _LET_GO, [{"this_no": one.sent.claimed.no} for one in let_go])
    decided = [one for one in judged if not one.is_resend and one.is_claim_good and one.is_open]
    _execute_each(connection, _MOVE_ON, [_then(one) for one in decided])
    _give_up(connection, decided)


def bury_disabled(connection: Connection, now: float) -> None:
    """Give up what nobody claims any more, for its endpoint is disabled, and what is on no way to it either."""
    bury(connection, _IS_STRANDED, ENDPOINT_DISABLED, now=now)


def has_stranded(connection: Connection) -> bool:
    """Return whether there is something for `bury_disabled`.

    It was on its way when the endpoint was disabled, and whoever had it died; or another process wrote it just then.
    """
    return bool(connection.execute(_HAS_STRANDED).scalar_one())


def _judged(connection: Connection, sent: Sequence[Sent], schedule: Schedule) -> list[_Judged]:
    if not sent:
        return []
    wanted = {"wanted": sorted({one.claimed.no for one in sent})}
    # By id as well: after a snapshot was restored, the number may be that of another delivery.
    known = {(row.no, row.delivery_id): row for row in connection.execute(_KNOWN, wanted)}
    judged = []
    for one in sent:
        claimed = one.claimed
        row = known.get((claimed.no, claimed.delivery_id))
        if row is not None:  # else it was forgotten or purged while it was on its way
            decision = decide(one.outcome, claimed.attempt, one.ended_at, schedule)
            judged.append(_Judged(one, decision, row.fence == claimed.fence, row.status == "open"))
    return judged


def _newest_deliveries(judged: Iterable[_Judged]) -> list[Mapping[str, Any]]:
    """Return when each endpoint has answered well last; in one order, or two processes would wait for each other."""
    ended: dict[int, float] = {}
    for one in judged:
        if isinstance(one.decision, Delivered):
            no, at = one.sent.claimed.endpoint_no, one.sent.ended_at
            ended[no] = max(at, ended.get(no, at))
    return [{"this_no": no, "ended": at} for no, at in sorted(ended.items())]


def _then(one: _Judged) -> Mapping[str, Any]:
    match one.decision:
        case Delivered():
            status, due_at = "delivered", None
        case RetryAt(at):
            status, due_at = "open", at
        case DeadLetter():
            status, due_at = "open", one.sent.ended_at  # for as long as it takes to bury it
    claimed = one.sent.claimed
    made = {"this_no": claimed.no, "made": claimed.attempt, "ended": one.sent.ended_at}
    return made | {"then": status, "then_due": due_at}


def _give_up(connection: Connection, decided: Sequence[_Judged]) -> None:
    """Make dead letters of what is not tried again: each for its own reason, then what waits for who wants no more."""
    dead = [(one.sent, one.decision) for one in decided if isinstance(one.decision, DeadLetter)]
    for sent, letter in dead:
        bury(connection, webhook_deliveries.c.no == sent.claimed.no, letter.reason, now=sent.ended_at)
    for sent, letter in dead:
        if letter.disables_endpoint:
            disable_endpoint(connection, sent.claimed.endpoint_no, letter.reason, now=sent.ended_at)
    again = [one.sent for one in decided if isinstance(one.decision, RetryAt)]
    if not again:
        return
    wanted = sorted({sent.claimed.endpoint_no for sent in again})
    disabled = set(connection.execute(_DISABLED, {"wanted": wanted}).scalars())
    for sent in again:
        if sent.claimed.endpoint_no in disabled:
            bury(connection, webhook_deliveries.c.no == sent.claimed.no, ENDPOINT_DISABLED, now=sent.ended_at)


def _execute_each(connection: Connection, statement: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        connection.execute(statement, rows)


def _attempt(sent: Sent, decision: Decision) -> dict[str, Any]:
    outcome, is_delivered = sent.outcome, isinstance(decision, Delivered)
    status, why_not = (outcome.status, "http-status") if isinstance(outcome, Answered) else (None, outcome.failure)
    return {
        "delivery_no": sent.claimed.no,
        "attempt": sent.claimed.attempt,
        "kind": sent.claimed.kind,
        "started_at": sent.started_at,
        "ended_at": sent.ended_at,
        "duration_ms": sent.duration_ms,
        "webhook_timestamp": sent.webhook_timestamp,
        "status": status,
        "outcome": "delivered" if is_delivered else why_not,
        "error": None if is_delivered else reason_of(outcome),
    }
