"""What obstore raises -> our error: what failed, for which object, and the next step; never the text of a request."""

from __future__ import annotations

import re
from typing import Final

from reinmaker_cli.buckets.access import has_visible_credentials, no_credentials
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.object_urls import FOLDER, ObjectUrl
from reinmaker_cli.errors import AccessDenied, ReinmakerError, ServerUnreachable, UsageError

# obstore gives an answer that it has no class for as text only. The status and the store's own code word are taken
# from there; the rest stays out: it may hold signed URLs.
_STATUS: Final = re.compile(r"status code: ([1-5][0-9]{2})\b")
_WORD: Final = re.compile(r"<Code>([A-Za-z0-9]{1,64})</Code>")
_LATER: Final = (408, 429)


def failure_of(error: Exception, target: ObjectUrl, variables: dict[str, str]) -> ReinmakerError:
    """Return what the failure of a request means for the user."""
    from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

    answer = _answer(str(error))
    if target.scheme == FOLDER:
        return UsageError(
            f"cannot write or read `{target.text}`",
            code=codes.OUTPUT_FAILED,
            hint="check the folder of --map: its permissions, and the space on its disk",
        )
    if isinstance(error, FileNotFoundError):
        return UsageError(
            f"no such bucket, or not for these credentials: `{target.store}`{answer}",
            code=codes.BUCKET_MISSING,
            hint=codes.BUCKET_MISSING.cure,
        )
    status = int(answer[2:5]) if answer else 0
    if isinstance(error, PermissionDeniedError | UnauthenticatedError) or (
        400 <= status < 500 and status not in _LATER
    ):
        return AccessDenied(
            f"the store refuses: `{target.text}`{answer}", code=codes.BUCKET_REFUSED, hint=codes.BUCKET_REFUSED.cure
        )
    if 300 <= status < 400:
        return UsageError(
            f"the bucket is elsewhere: `{target.store}`{answer}",
            code=codes.BUCKET_UNUSABLE,
            hint="name its region in AWS_REGION; `aws s3api get-bucket-location` knows it",
        )
    if not status and target.scheme != "s3" and not has_visible_credentials(target.scheme, variables):
        return no_credentials(target.scheme)
    return ServerUnreachable(
        f"no answer from the store: `{target.text}`{answer}",
        code=codes.BUCKET_UNREACHABLE,
        hint=codes.BUCKET_UNREACHABLE.cure,
    )


def _answer(text: str) -> str:
    """Return ` (403 AccessDenied)` where the store answered so, else nothing."""
    status, word = _STATUS.search(text), _WORD.search(text)
    return f" ({status[1]}{f' {word[1]}' if word else ''})" if status else ""
