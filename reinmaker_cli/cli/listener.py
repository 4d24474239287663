"""What `reinmaker webhooks listen` shows: each delivery, its place at the server, and when it is enough."""

from __future__ import annotations

import json
import queue
import time
from collections import Counter, deque
from typing import TYPE_CHECKING, Any

from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.text import Line, Styled, counted, shorten
from reinmaker_cli.cli.times import duration_text
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import StillPending

if TYPE_CHECKING:
    from reinmaker_cli.client.received import Received
    from reinmaker_cli.client.registration import News
    from reinmaker_cli.client.webhooks import Endpoint

LOOK_EVERY_S = 1.0  # at the status line and the deadline
KEPT = 1000
"""Deliveries in the document at the end; those before are counted."""
DATA_CHARACTERS = 300


class Listener:
    """Shows what comes in, and knows when it is enough."""

    def __init__(self, run: Run, *, count: int | None, deadline_s: float | None) -> None:
        self._run, self._wanted = run, count
        self._end_at = None if deadline_s is None else time.monotonic() + deadline_s
        self.inbox: queue.Queue[Received | News] = queue.Queue()
        self.url = ""
        self._endpoint: Endpoint | None = None
        self._is_server_there = True
        self._counts: Counter[str] = Counter()
        self._kept: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._last_at: float | None = None
        self._explained: set[str] = set()

    def say_unregistered(self, secrets: int) -> None:
        """Say where to deliver to."""
        self._run.output.event("listening", url=self.url, endpointId=None)
        self._run.output.note(
            (Styled("bold", "listening"), f"  {self.url}"),
            f"  registered nowhere: {counted(secrets, 'signing secret')} given, deliver to the address above",
        )

    def run_until_done(self) -> None:
        """Show what comes until it is enough, or nobody reads. StillPending when the deadline passes before that."""
        while self._wanted is None or self._counts["events"] < self._wanted:
            wait_s = LOOK_EVERY_S
            if self._end_at is not None:
                wait_s = min(wait_s, self._end_at - time.monotonic())
                if wait_s <= 0:
                    self._give_up()
                    return
            try:
                news = self.inbox.get(timeout=wait_s)
            except queue.Empty:
                self._run.output.progress.doing(self._status())
                continue
            self._take(news)
            if not self._run.output.flush():
                return
            self._run.output.progress.doing(self._status())

    def report(self) -> None:
        """Put what came into the document."""
        while not self.inbox.empty():  # what was answered is told, even where the end came meanwhile
            self._take(self.inbox.get_nowait())
        names = ("received", "events", "duplicates", "refused")
        endpoint_id = self._endpoint.endpoint_id if self._endpoint else None
        self._run.output.add(
            listener={"url": self.url, "endpointId": endpoint_id},
            results=list(self._kept),
            stats={name: self._counts[name] for name in names},
        )
        if self.url:
            self._run.output.note(
                f"{counted(self._counts['received'], 'delivery', 'deliveries')}:"
                f" {counted(self._counts['events'], 'event')} taken,"
                f" {counted(self._counts['duplicates'], 'duplicate')}, {self._counts['refused']} not verified"
            )

    def _give_up(self) -> None:
        if self._wanted is None:
            return
        raise StillPending(
            f"{self._counts['events']} of {counted(self._wanted, 'event')} came before --deadline",
            code=codes.NOTHING_RECEIVED,
            hint=codes.NOTHING_RECEIVED.cure,
        )

    def _take(self, news: Received | News) -> None:
        from reinmaker_cli.client.registration import News

        if isinstance(news, News):
            self._take_news(news)
        else:
            self._take_received(news)

    # --- deliveries -------------------------------------------------------------------------------------------------

    def _take_received(self, received: Received) -> None:
        output = self._run.output
        self._last_at = time.monotonic()
        self._counts["received"] += 1
        self._counts["events"] += received.is_news
        self._counts["duplicates"] += received.is_duplicate
        self._counts["refused"] += not received.is_verified
        row = received_json(received)
        self._kept.append(row)
        output.event("received", **row, body=received.body.decode("utf-8", "backslashreplace"))
        if received.is_verified and received.message_id:
            output.ids([received.message_id])
        output.data(*self._lines(received))
        self._explain(received)

    def _lines(self, received: Received) -> list[Line]:
        from reinmaker_cli.contract.signing import NotVerified

        at = time.strftime("%H:%M:%S", time.localtime(received.at_s))
        answered = "drop" if received.status is None else str(received.status)
        colour = Styled("green" if received.is_news or received.is_duplicate else "red", answered)
        if isinstance(received.verdict, NotVerified):
            return [(f"{at}  ", colour, f"  not verified: {received.verdict.detail}")]
        words = [
            str(received.event.get("type", "no type")),
            received.message_id or "",
            f"attempt {received.attempt or '?'}",
        ]
        words += [f"{received.took_s * 1000:.0f} ms"]
        words += ["again"] if received.is_duplicate else []
        words += ["the sender had gone"] if received.is_sender_gone else []
        words += [_forwarded(received)] if received.forwarded is not None else []
        data = json.dumps(received.event.get("data"), ensure_ascii=False)
        shown = data if self._run.output.verbose_on else shorten(data, DATA_CHARACTERS)
        return [(f"{at}  ", colour, "  " + "  ".join(words)), f"{'':8}  {shown}"]

    def _explain(self, received: Received) -> None:
        """Say once per reason what to do about it."""
        from reinmaker_cli.cli.webhooks import reason_code
        from reinmaker_cli.contract.signing import NotVerified

        if isinstance(received.verdict, NotVerified):
            code = reason_code(received.verdict)
            if code not in self._explained:
                self._explained.add(code)
                self._run.output.note((Styled("cyan", "hint"), f"[{code}]: {code.cure}"))

    # --- the place at the server ------------------------------------------------------------------------------------

    def _take_news(self, news: News) -> None:
        was_there, self._is_server_there = self._is_server_there, news.what != "lost"
        before, self._endpoint = self._endpoint, news.endpoint or self._endpoint
        if news.what == "registered":
            self._say_registered()
        elif news.what == "rotated":
            self._say("rotated", "the secret was rotated; the new one was here before, and the next one is too")
        elif news.what == "lost":
            if was_there:
                self._say("server-lost", f"the server has gone: {news.detail}")
        elif not was_there:
            self._say("server-back", "the server is there again")
        self._say_switched(before)

    def _say_switched(self, before: Endpoint | None) -> None:
        after = self._endpoint
        if before is None or after is None or before.enabled == after.enabled:
            return
        if after.enabled:
            self._say("enabled", "the server delivers again")
            return
        reason = after.disabled_reason or "no reason given"
        self._say("disabled", f"the server delivers nothing more: {reason}")
        self._run.output.note((Styled("cyan", "hint"), f": `reinmaker webhooks endpoints enable {after.endpoint_id}`"))

    def _say_registered(self) -> None:
        assert self._endpoint is not None
        endpoint = self._endpoint
        self._run.output.event("listening", url=self.url, endpointId=endpoint.endpoint_id)
        self._run.output.note(
            (Styled("bold", "listening"), f"  {self.url}"),
            f"  endpoint {endpoint.endpoint_id} for {', '.join(endpoint.types) or 'all events'}",
            "  its secret and the next one are here, in memory only; ^C removes the endpoint",
        )

    def _say(self, kind: str, text: str) -> None:
        self._run.output.event(kind, endpointId=self._endpoint.endpoint_id if self._endpoint else None, detail=text)
        self._run.output.note(text)

    def _status(self) -> str:
        """Return one line: what came last, and whether the server still sees this receiver."""
        last = "no event yet"
        if self._last_at is not None:
            ago = duration_text(time.monotonic() - self._last_at)
            last = f"{counted(self._counts['events'], 'event')}, the last {ago} ago"
        if self._endpoint is None:
            return f"{self.url}  {last}"
        if not self._is_server_there:
            return f"{self.url}  {last}  the server has gone"
        state = "server sees it" if self._endpoint.enabled else "server has it disabled"
        return f"{self.url}  {last}  {state}: {self._endpoint.open} open, {self._endpoint.dead_letters} dead"


def received_json(received: Received) -> dict[str, Any]:
    """Return one delivery as it stands in documents and events, without its body."""
    from reinmaker_cli.client.posting import Answered
    from reinmaker_cli.contract.signing import NotVerified

    forwarded = received.forwarded
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(received.at_s)),
        "verified": received.is_verified,
        "reason": str(received.verdict.reason) if isinstance(received.verdict, NotVerified) else None,
        "detail": received.verdict.detail if isinstance(received.verdict, NotVerified) else None,
        "messageId": received.message_id,
        "type": received.event.get("type"),
        "attempt": received.attempt,
        "traceId": received.trace_id,
        "status": received.status,
        "duplicate": received.is_duplicate,
        "senderGone": received.is_sender_gone,
        "tookMs": round(received.took_s * 1000, 1),
        "forwarded": None
        if forwarded is None
        else {"status": forwarded.status if isinstance(forwarded, Answered) else None,
              "failure": None if isinstance(forwarded, Answered) else forwarded.kind},
    }  # fmt: skip


def _forwarded(received: Received) -> str:
    from reinmaker_cli.client.posting import Answered

    forwarded = received.forwarded
    assert forwarded is not None
    return f"forwarded: {forwarded.status if isinstance(forwarded, Answered) else forwarded.kind}"
