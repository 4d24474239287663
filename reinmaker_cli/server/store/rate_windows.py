"""The sliding windows of `limits.py` for all processes on a database: one statement counts a request, or does not."""

from __future__ import annotations

from sqlalchemy import text

from reinmaker_cli.server.limits import Counted, Exceeded, leaves_in_s
from reinmaker_cli.server.store.postgres import PostgresDatabase

# The row is locked before its stamps are read, so no two requests take the same place. `t` is the time that counts: two
# processes read the clock before one of them waits for the other, so a stamp up to 2 s later than `now` is as good as
# now; one that is later still is of a clock that was set back, and nobody waits for it to catch up.
_TAKE = text("""
INSERT INTO rate_windows AS w (policy, key, stamps, is_counted, at) VALUES (:policy, :key, ARRAY[:now], true, :now)
ON CONFLICT (policy, key) DO UPDATE SET (stamps, is_counted, at) = (
    SELECT CASE WHEN count(s) < :quota THEN array_append(array_agg(s ORDER BY s) FILTER (WHERE s IS NOT NULL), t)
           ELSE array_agg(s ORDER BY s) END, count(s) < :quota, t
    FROM (SELECT CASE WHEN w.at <= :now + 2 THEN greatest(w.at, :now) ELSE :now END AS t) AS time
    LEFT JOIN LATERAL unnest(w.stamps) AS s ON s > t - :window AND s <= t
    GROUP BY t)
RETURNING is_counted, at, cardinality(stamps), stamps[1], stamps[greatest(1, cardinality(stamps) - :quota + 1)]
""")


class RateWindows:
    """Counts the requests that any process answers."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    def take(self, policy: str, key: str, quota: int, window_s: int, now: float) -> Counted | Exceeded:
        """Count a request at the time `now`, unless `quota` (1 or more) of them are in the window that ends then."""
        asked = {"policy": policy, "key": key, "quota": quota, "window": window_s, "now": now}
        with self._database.at_once() as connection:
            is_counted, at, count, oldest, last_to_leave = connection.execute(_TAKE, asked).one()
        if is_counted:
            return Counted(quota - count, leaves_in_s(oldest, window_s, at))
        return Exceeded(leaves_in_s(oldest, window_s, at), leaves_in_s(last_to_leave, window_s, at))
