"""Where a user's entitlements are, and where the user's id must not appear."""

from __future__ import annotations

from urllib.parse import quote

from reinmaker_cli.contract import codes
from reinmaker_cli.contract.names import ENTITLEMENTS_PATH, MAX_USER_ID
from reinmaker_cli.errors import UsageError


def entitlements_path(user_id: str) -> str:
    """Return the path of a user's entitlements. UsageError where no user can have that id; it does not repeat it."""
    try:
        part = path_segment(user_id)
    except UnicodeEncodeError as error:  # bytes of the command line that are no UTF-8
        raise _impossible("not UTF-8") from error
    if not 1 <= len(user_id) <= MAX_USER_ID:
        raise _impossible(f"not of 1 to {MAX_USER_ID} characters")
    return f"{ENTITLEMENTS_PATH}/{part}"


def path_segment(text: str) -> str:
    """Return a text as one segment of a path (RFC 3986 section 3.3). UnicodeEncodeError where it is not UTF-8."""
    # Section 5.2.4: a segment of dots alone is taken for a step in the path, unless it is encoded.
    return text.replace(".", "%2E") if text in (".", "..") else quote(text, safe="")


def without_user(url: str) -> str:
    """Return a URL as logs and messages may show it: without the id of a user."""
    for mark in (f"{ENTITLEMENTS_PATH}/", "?userId="):
        before, _, user_id = url.partition(mark)
        if user_id:
            return f"{before}{mark}…"
    return url


def _impossible(why: str) -> UsageError:
    return UsageError(f"the user id is {why}", code=codes.USAGE, hint="give it as it stands in the events' `userId`")
