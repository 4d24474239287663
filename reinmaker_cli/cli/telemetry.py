"""`reinmaker telemetry check` and `send`: gameplay events, held back where personal data is among them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from reinmaker_cli.cli.folders import allowed_codes
from reinmaker_cli.cli.options import Allow
from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.text import counted, shorten
from reinmaker_cli.cli.times import duration_text
from reinmaker_cli.cli.verbs import SERVER, TALK, verb
from reinmaker_cli.contract import codes, names
from reinmaker_cli.contract.findings import Finding, count_errors
from reinmaker_cli.errors import ContentInvalid, UsageError

if TYPE_CHECKING:
    from reinmaker_cli.client.event_reader import EventText
    from reinmaker_cli.client.telemetry import Sent
    from reinmaker_cli.contract.models import BatchTaken

MAX_KEPT = 1000  # findings with their places; more are counted, so that memory does not grow with the file
SAID_EVERY = 5000  # events between two looks at the progress line

Events = Annotated[
    str, typer.Argument(metavar="FILE|-", help="JSON Lines or one JSON array, of any length; - is stdin.")
]


class Checker:
    """Reads events and keeps what is wrong with them."""

    def __init__(self, path: str, allow: Sequence[str]) -> None:
        self.path = path
        everything = {str(codes.PERSONAL_DATA)}.intersection(allow)  # no finding itself: the name of five
        self.allowed = allowed_codes([code for code in allow if code not in everything]) | everything
        self.kept: list[Finding] = []
        self.events = self.errors = self.warnings = 0
        self.is_personal = False
        """At least one error is about personal data."""

    def check(self, file: BinaryIO, *, stop_at_error: bool) -> Iterator[EventText]:
        """Yield the text of each event that is as it should be; ends, or goes on, where one is not."""
        from reinmaker_cli.client.event_check import PERSONAL, check_event
        from reinmaker_cli.client.event_reader import EventText, chunks_of, read_events

        for piece in read_events(chunks_of(file, shorten(self.path))):
            findings = check_event(piece, self.path, self.allowed)
            self.events += 1
            errors = count_errors(findings)
            if findings:
                self.errors += errors
                self.warnings += len(findings) - errors
                self.is_personal |= any(one.is_error and one.code in PERSONAL for one in findings)
                self.kept += findings[: MAX_KEPT - len(self.kept)]
            if not errors and isinstance(piece, EventText):
                yield piece
            elif stop_at_error:
                raise self.refusal()

    def refusal(self) -> ContentInvalid:
        """Return the error for what was found."""
        code = codes.PERSONAL_DATA if self.is_personal else codes.CONTENT_INVALID
        among = ", personal data among them" if self.is_personal else ""
        message = f"`{shorten(self.path)}` cannot be sent: {counted(self.errors, 'place')}{among}"
        return ContentInvalid(message, code=code, hint=code.cure)


@verb(flags=TALK)
def check(run: Run, file: Events, allow: Allow = None) -> None:
    """Say what is wrong with events: what the API would refuse, and what tells who a player is. Sends nothing."""
    with _opened(file) as events:
        checker = Checker(file, allow or [])
        _read_all(run, checker, events)
    run.output.add(
        results=[
            {"file": file, "events": checker.events, "errors": checker.errors, "warnings": checker.warnings},
        ]
    )
    run.output.findings(checker.kept)
    _say_rest(run, checker)
    if checker.errors:
        raise checker.refusal()
    run.output.data(f"{file}: {counted(checker.events, 'event')}, nothing to hold back")


@verb(flags=(*SERVER, "timeout", "deadline"))
def send(run: Run, file: Events, allow: Allow = None) -> None:
    """Send gameplay events in batches. Events are counted once, so running it again is always safe.

    A file is checked whole before anything of it is sent. From a pipe each batch is checked before it leaves; the first
    with a finding ends the command.
    """
    from reinmaker_cli.client.api import new_trace_id
    from reinmaker_cli.client.telemetry import Sent

    with _opened(file) as events:
        checker = Checker(file, allow or [])
        known: int | None = None
        if events.seekable():
            start = events.tell()
            _read_all(run, checker, events)
            run.output.findings(checker.kept)
            _say_rest(run, checker)
            if checker.errors:
                _report(run, file, Sent(), new_trace_id(), is_complete=False)
                raise checker.refusal()
            events.seek(start)
            known = checker.events
            checker = Checker(file, allow or [])  # again: somebody may write to the file meanwhile
        else:
            run.output.verbose("a pipe: each batch is checked before it is sent")
        _send(run, checker, events, file, events_known=known)


def _send(run: Run, checker: Checker, events: BinaryIO, file: str, *, events_known: int | None) -> None:
    """Send what the checker lets through; `events_known` is how many there are, None for a pipe."""
    from reinmaker_cli.cli.access import open_run_api
    from reinmaker_cli.client.api import new_trace_id
    from reinmaker_cli.client.telemetry import Pace, Sent, cut_into_batches, send_events

    sent, trace_id, is_complete, world = Sent(), new_trace_id(), False, run.world
    deadline_s = run.settings.deadline
    pace = Pace(
        run.settings.timeout,
        None if deadline_s is None else world.clock() + deadline_s,
        world,
        on_limit=lambda seconds: run.output.progress.doing(f"the server asks to wait {seconds:.0f} s"),
    )

    def tell(taken: BatchTaken) -> None:
        run.output.event("batch", **taken.to_json())
        run.output.progress.doing(f"{counted(sent.events, 'event')} sent")
        if sent.batches == 1 and events_known is not None:  # the first answer said how fast it goes
            batches_left = -(-(events_known - sent.events) // names.MAX_EVENTS)
            _say_estimate(run, batches_left, api.pacing.estimate_s("default", batches_left))

    requests = 0
    try:
        with open_run_api(run, scope=names.Scope.TELEMETRY_WRITE) as api:
            batches = cut_into_batches(checker.check(events, stop_at_error=True))
            try:
                send_events(api, batches, sent, path=file, trace_id=trace_id, pace=pace, on_batch=tell)
                is_complete = True
            finally:
                requests = api.requests
    finally:
        run.output.stop_progress()
        if not events.seekable() or checker.errors:
            run.output.findings(checker.kept)
        _report(run, file, sent, trace_id, is_complete=is_complete, requests=requests)


def _say_estimate(run: Run, batches: int, seconds: float) -> None:
    if seconds:
        run.output.event("estimate", what="batches", requests=batches, seconds=seconds)
        run.output.note(f"{batches:,} batches more: at least {duration_text(seconds)}, by the server's limits")


def _report(run: Run, file: str, sent: Sent, trace_id: str, *, is_complete: bool, requests: int = 0) -> None:
    """Say how far it went, whatever ended it."""
    row = {
        "file": file,
        "batches": sent.batches,
        "events": sent.events,
        "accepted": sent.accepted,
        "duplicates": sent.duplicates,
        "complete": is_complete,
        "traceId": trace_id,
    }
    stats = {"requests": requests, "repeatedBatches": sent.repeated, "limitedSeconds": round(sent.limited_s, 3)}
    run.output.add(results=[row], stats=stats)
    known = f"{sent.accepted:,} new, {sent.duplicates:,} there before"
    if is_complete:
        run.output.data(
            f"{file}: {counted(sent.events, 'event')} in {counted(sent.batches, 'batch', 'batches')}, {known}"
        )
        run.output.verbose(f"trace id {trace_id}")
    elif sent.events:
        run.output.note(f"{counted(sent.events, 'event')} are at the server ({known}); trace id {trace_id}")
    else:
        run.output.note("nothing was sent")


def _read_all(run: Run, checker: Checker, events: BinaryIO) -> None:
    for _ in checker.check(events, stop_at_error=False):
        if checker.events % SAID_EVERY == 0:
            run.output.progress.doing(f"{counted(checker.events, 'event')} checked")
    run.output.stop_progress()


def _say_rest(run: Run, checker: Checker) -> None:
    rest = checker.errors + checker.warnings - len(checker.kept)
    if rest > 0:
        run.output.note(f"and {counted(rest, 'more finding')} of the same file")


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    """Yield the bytes of a file or of stdin. UsageError where there are none."""
    if file == "-":
        if sys.stdin is None:
            raise UsageError("stdin is closed", code=codes.USAGE, hint="name a file")
        yield sys.stdin.buffer
        return
    try:
        opened = open(file, "rb")  # noqa: SIM115  (closed below; only the opening may fail here)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "an impossible name"
        raise UsageError(
            f"cannot read `{shorten(file)}`: {(reason or '').lower()}",
            code=codes.FILE_NOT_FOUND,
            hint="check the path",
        ) from error
    with opened:
        yield opened
