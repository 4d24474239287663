"""What one look at something that could stop a publication comes to: `reinmaker doctor` is a list of these."""

from __future__ import annotations

from dataclasses import dataclass

from reinmaker_cli.errors import ReinmakerError


@dataclass(frozen=True, slots=True)
class Passed:
    """Nothing here stops a publication."""

    check: str
    """What was looked at, one or two words."""
    fact: str
    """What was found, without any secret."""


@dataclass(frozen=True, slots=True)
class Warned:
    """It works today, or for some; the hint says how to be rid of it."""

    check: str
    fact: str
    code: str
    hint: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A publication would stop here."""

    check: str
    fact: str
    code: str
    hint: str
    exit_code: int
    """That of the publication that would stop here: 2, 3, 4 or 7."""


Checked = Passed | Warned | Failed


def failed_by(check: str, error: ReinmakerError) -> Failed:
    """Return the failure that a publication would meet as this error."""
    return Failed(check, error.message, error.code, error.hint, error.exit_code)


def warned_by(check: str, error: ReinmakerError) -> Warned:
    """Return the warning for an error that a publication would not, or not always, meet."""
    return Warned(check, error.message, error.code, error.hint)
