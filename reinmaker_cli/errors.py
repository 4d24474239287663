"""What can go wrong, as the user meets it.

    ReinmakerError                exit  a foreseen failure: code, message, hint
    ├── UsageError                   2  what was typed, or what a file says, cannot be meant
    │   └── ConfigError              2  a configuration file, with the place in it
    ├── ContentInvalid               3  the assets or the manifest are wrong; carries findings
    ├── AccessDenied                 4  credentials, token, scope, keyring
    ├── VersionConflict              5  that version exists with other content
    ├── ManifestRejected             6  the server looked and said no
    ├── ServerUnreachable            7  no verdict: network, 5xx, limits; safe to run again
    ├── StillPending                 8  accepted, no verdict before time ran out
    ├── ContentDiffers               9  compared, and not the same
    ├── PartlyDone                  10  several manifests: some through, some not
    └── Interrupted          130 / 143  SIGINT, SIGTERM

A bug is anything else: it keeps its traceback and exits 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from reinmaker_cli.contract.findings import Finding


class ReinmakerError(Exception):
    """A failure the user can act on: a fact, a stable code and the next step.

    `message` is lower case without a full stop; `hint` is what to do or type next. Neither ever holds a secret.
    """

    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, code: str, hint: str, findings: Sequence[Finding] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.code = str(code)
        self.hint = hint
        self.findings = tuple(findings)
        self.trace_id = ""
        """`X-Lesson-Trace-Id` of the answer that said so, where a server did."""


class UsageError(ReinmakerError):
    """What was typed cannot be meant."""

    exit_code = 2


class ConfigError(UsageError):
    """A configuration file cannot be read or says something impossible; the message names file and place."""


class ContentInvalid(ReinmakerError):
    """The assets or the manifest are wrong; `findings` say where."""

    exit_code = 3


class AccessDenied(ReinmakerError):
    """Credentials are missing, old, refused or out of reach."""

    exit_code = 4


class VersionConflict(ReinmakerError):
    """The version exists with other content, or is not newer than the active one."""

    exit_code = 5


class ManifestRejected(ReinmakerError):
    """The server validated the manifest and rejected it."""

    exit_code = 6


class ServerUnreachable(ReinmakerError):
    """No verdict could be had: network, 5xx or limits. Running the same command again is safe."""

    exit_code = 7
    retryable = True


class StillPending(ReinmakerError):
    """The server accepted the manifest and had no verdict before time ran out."""

    exit_code = 8
    retryable = True


class ContentDiffers(ReinmakerError):
    """Two things that were compared are not the same."""

    exit_code = 9


class PartlyDone(ReinmakerError):
    """At least one manifest is active or unchanged, and at least one is not."""

    exit_code = 10


class Interrupted(ReinmakerError):
    """SIGINT or SIGTERM arrived; nothing new was sent after it."""

    exit_code = 130
    retryable = True

    def __init__(self, message: str, *, code: str, hint: str, signal_number: int = 2) -> None:
        super().__init__(message, code=code, hint=hint)
        self.exit_status = 128 + signal_number
