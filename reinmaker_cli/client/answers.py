"""What a server answered, and which of our errors it amounts to. Knows no HTTP library."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

from reinmaker_cli.contract import codes
from reinmaker_cli.contract.findings import Finding
from reinmaker_cli.contract.models import Problem, ValidationError, Wire
from reinmaker_cli.contract.names import PROBLEM_MEDIA_TYPE, TRACE_HEADER, TRACE_PATTERN
from reinmaker_cli.errors import AccessDenied, ContentInvalid, ReinmakerError, ServerUnreachable, VersionConflict

Model = TypeVar("Model", bound=Wire)

MAX_SHOWN_CHARACTERS: Final = 500

# A server's words reach a terminal: control characters could rewrite what stands there.
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+")


class RetryLater(ServerUnreachable):
    """The server asks to come back: 429, or 503 with Retry-After."""

    def __init__(self, message: str, *, code: str, hint: str, retry_after_s: float | None, status: int) -> None:
        super().__init__(message, code=code, hint=hint)
        self.retry_after_s = retry_after_s
        """Seconds from now; None where the server did not say."""
        self.status = status


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, read whole."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    url: str
    """What was asked, for messages."""
    trace_id: str
    """As the server echoed it, else as it was sent."""

    @property
    def media_type(self) -> str:
        """Content type without parameters, lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def etag(self) -> str | None:
        """Entity tag, as it is to be sent back in If-None-Match; None also where no field of ours can hold it."""
        tag = self.headers.get("etag", "")
        return tag if tag and tag.isascii() else None

    @property
    def waited(self) -> bool:
        """True where the server says that it applied `Prefer: wait`."""
        return "wait" in self.headers.get("preference-applied", "")

    def retry_after_s(self, now: datetime | None = None) -> float | None:
        """Return Retry-After in seconds from now, 0 or more, or None. A date counts from the server's own Date."""
        text = self.headers.get("retry-after", "").strip()
        if re.fullmatch(r"[0-9]{1,9}", text):
            return float(text)
        until = http_date(text)
        if until is None:
            return None
        since = http_date(self.headers.get("date", "")) or now or datetime.now(UTC)
        return max(0.0, (until - since).total_seconds())

    def read(self, model: type[Model]) -> Model:
        """Return the body as a model, or raise `answer-unusable`."""
        try:
            return model.model_validate_json(self.body)
        except ValueError:
            # `from None`: the parser quotes what it read, which at the token endpoint is a token.
            raise self.unusable(f"not a {model.__name__}") from None

    def unusable(self, why: str) -> ServerUnreachable:
        """Return the error for an answer that the contract does not know."""
        error = ServerUnreachable(
            f"unexpected answer from `{self.url}`: HTTP {self.status}, {why}",
            code=codes.ANSWER_UNUSABLE,
            hint="does another program listen there? `reinmaker config show --origin` says where the address is from",
        )
        error.trace_id = self.trace_id
        return error


def trace_id_of(headers: Mapping[str, str], sent: str) -> str:
    """Return the trace id that the server echoed, or the one that was sent where the echo is missing or malformed."""
    echoed = headers.get(TRACE_HEADER.lower(), "")
    return echoed if re.fullmatch(TRACE_PATTERN, echoed) else sent


def error_of(answer: Answer, *, now: datetime | None = None) -> ReinmakerError:
    """Return what an answer other than the hoped-for one amounts to."""
    problem = _problem_of(answer)
    error = _error_of(answer, problem, now)
    error.trace_id = answer.trace_id
    return error


def _error_of(answer: Answer, problem: Problem | None, now: datetime | None) -> ReinmakerError:
    status, said = answer.status, plain(problem.detail or problem.title) if problem else f"HTTP {answer.status}"
    retry_after_s = answer.retry_after_s(now)
    if status == 429 or (status == 503 and retry_after_s is not None):
        return RetryLater(
            f"the server asks to wait: {said}",
            code=codes.LIMITED if status == 429 else codes.SERVER_BUSY,
            hint="run the same command again later, or give a longer --timeout",
            retry_after_s=retry_after_s,
            status=status,
        )
    if status == 501 and problem is None:  # not the API, and no gateway before it: something that knows no POST
        return answer.unusable("the method is not implemented there")
    if status >= 500:
        hint = "run the same command again later; it continues where it stopped"
        return ServerUnreachable(f"the server failed: HTTP {status}, {said}", code=codes.SERVER_FAILED, hint=hint)
    if 300 <= status < 400:
        return answer.unusable("a redirect, and none is followed")
    if problem is None:
        return answer.unusable(f"{answer.media_type or 'no content type'} where a problem document belongs")
    code = codes.ALL.get(problem.code)
    hint = code.cure if code is not None else "see the trace id at the server"
    known = str(code) if code is not None else str(codes.ANSWER_UNUSABLE)
    if code == codes.NOT_FOUND:
        hint = "check the address with `reinmaker config show --origin`"
    if status in (401, 403):
        return AccessDenied(said, code=known, hint=hint)
    if status == 409:
        return VersionConflict(said, code=known, hint=hint)
    if status in (400, 413, 415, 422):
        return ContentInvalid(said, code=known, hint=hint, findings=[finding_of(error) for error in problem.errors])
    return ServerUnreachable(said if code is not None else f"HTTP {status}: {said}", code=known, hint=hint)


def finding_of(error: ValidationError, *, path: str | None = None, manifest_id: str | None = None) -> Finding:
    """Return a server's validation error as a finding, with our cure where the code is known."""
    known = codes.ALL.get(error.code)
    return Finding(
        code=plain(error.code),
        message=plain(error.detail),
        hint=known.cure if known is not None else "see the server's documentation",
        path=path,
        pointer=plain(error.pointer) or None,
        asset_id=plain(error.asset_id) if error.asset_id else None,
        manifest_id=manifest_id,
        expected=plain(error.expected) if error.expected else None,
        found=plain(error.found) if error.found else None,
    )


def plain(text: str) -> str:
    """Return a server's words without control characters, cut where they are long."""
    shown = _CONTROL_CHARACTERS.sub(" ", text).strip()
    return shown if len(shown) <= MAX_SHOWN_CHARACTERS else shown[: MAX_SHOWN_CHARACTERS - 1] + "…"


def _problem_of(answer: Answer) -> Problem | None:
    if answer.media_type != PROBLEM_MEDIA_TYPE:
        return None
    try:
        return Problem.model_validate_json(answer.body)
    except ValueError:
        return None  # the status alone still says enough


def http_date(text: str) -> datetime | None:
    """Return the time that an HTTP field says, or None where it says none."""
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # a year, or an offset from UTC, that no calendar has
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
