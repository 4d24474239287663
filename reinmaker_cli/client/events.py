"""What happens during a publication, as it happens: for progress lines and `--events`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

Action = Literal["send", "send-again", "wait", "unchanged", "conflict"]


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events."""

    name: ClassVar[str]

    def to_json(self) -> dict[str, Any]:
        """Return one line of NDJSON: the name under `event`, the rest in camelCase, without what is absent."""
        fields = {_camel(key): value for key, value in asdict(self).items() if value is not None}
        return {"event": self.name, **fields}


@dataclass(frozen=True, slots=True)
class PreflightStarted(Event):
    """The server is asked what it has."""

    name: ClassVar[str] = "preflight"
    manifests: int


@dataclass(frozen=True, slots=True)
class Planned(Event):
    """What is going to be done with one manifest."""

    name: ClassVar[str] = "planned"
    manifest_id: str
    action: Action
    version: str | None


@dataclass(frozen=True, slots=True)
class Estimated(Event):
    """So many requests of one kind are to come, and the server's limits make them take so long at least."""

    name: ClassVar[str] = "estimate"
    what: Literal["questions", "manifests"]
    requests: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Progress(Event):
    """How far a step with many manifests is, at most once a second."""

    name: ClassVar[str] = "progress"
    what: Literal["compared", "sent"]
    done: int
    of: int
    seconds_left: float
    """As the limits and the rate so far let expect."""


@dataclass(frozen=True, slots=True)
class Submitting(Event):
    """A POST is about to be sent."""

    name: ClassVar[str] = "submitting"
    manifest_id: str
    version: str
    size_bytes: int
    attempt: int


@dataclass(frozen=True, slots=True)
class AnswerLost(Event):
    """A POST has no usable answer; the server is asked what became of it."""

    name: ClassVar[str] = "answer-lost"
    manifest_id: str
    version: str
    reason: str


@dataclass(frozen=True, slots=True)
class Submitted(Event):
    """The server has the manifest."""

    name: ClassVar[str] = "submitted"
    manifest_id: str
    version: str
    submission_id: str
    status: str
    reconciled: bool
    trace_id: str


@dataclass(frozen=True, slots=True)
class VersionTaken(Event):
    """Somebody was quicker with that version; `replaces` is the version of theirs that the next one will replace."""

    name: ClassVar[str] = "version-taken"
    manifest_id: str
    version: str
    next_version: str
    replaces: str | None


@dataclass(frozen=True, slots=True)
class Waiting(Event):
    """The verdict is not there yet."""

    name: ClassVar[str] = "waiting"
    manifest_id: str
    version: str
    status: str


@dataclass(frozen=True, slots=True)
class Limited(Event):
    """The server asked to wait."""

    name: ClassVar[str] = "limited"
    manifest_id: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Concluded(Event):
    """Nothing more happens to this manifest."""

    name: ClassVar[str] = "verdict"
    manifest_id: str
    version: str | None
    outcome: str
    status: str | None
    trace_id: str
    hashed: int | None = None
    """How many assets the server read and hashed for its verdict, and from where."""
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Looked(Event):
    """The store was asked for every object."""

    name: ClassVar[str] = "push.looked"
    objects: int
    missing: int
    missing_bytes: int
    present: int


@dataclass(frozen=True, slots=True)
class Pushed(Event):
    """An object was put where nothing was."""

    name: ClassVar[str] = "push.uploaded"
    path: str
    url: str
    bytes: int


OnEvent = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Take an event and do nothing with it."""


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
