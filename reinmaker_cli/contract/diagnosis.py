"""A webhook whose signature does not fit -> the most likely reason.

Tried only after verification has failed, and nothing found here makes a webhook good.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from reinmaker_cli.contract.signing import SECRET_PREFIX, NotVerified, Reason, find_signing_secret

MAX_DIAGNOSED_BYTES: Final = 256 * 1024  # a stranger's body must not cost more than a look

_LAYOUTS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("compact", {"separators": (",", ":")}),
    ("with a space after each comma and colon", {}),
    ("indented by 2", {"indent": 2}),
    ("indented by 4", {"indent": 4}),
    ("indented by a tab", {"indent": "\t"}),
)


def diagnose(
    secrets: Sequence[bytes],
    message_id: str,
    timestamp_s: int,
    body: bytes,
    signatures: Sequence[bytes],
    *,
    ended: Sequence[bytes] = (),
) -> NotVerified:
    """Return why none of the signatures is that of one of the secrets over this body.

    In this order: an earlier secret; the secret's text taken for the key; another writing of the same body; else it is
    the wrong secret, or other bytes.
    """

    def fits(keys: Sequence[bytes], content: bytes) -> bool:
        return find_signing_secret(keys, message_id, timestamp_s, content, signatures) is not None

    if fits(ended, body):
        return NotVerified(Reason.SECRET_ENDED, "made with an earlier secret of this endpoint, which has ended")
    if fits([text for secret in secrets for text in _texts_of(secret)], body):
        detail = "made with the text of the secret: the key is what the base64 behind `whsec_` stands for"
        return NotVerified(Reason.SECRET_NOT_DECODED, detail)
    for form, content in _other_writings(body):
        if fits(secrets, content):
            detail = f"the signature is over the same body {form}: it was written anew on the way, verify the raw bytes"
            return NotVerified(Reason.BODY_RESERIALISED, detail)
    detail = "no secret of ours made this signature, or the body, id or timestamp was changed on the way"
    return NotVerified(Reason.WRONG_SECRET, detail)


def _texts_of(secret: bytes) -> tuple[bytes, bytes]:
    text = base64.b64encode(secret)
    return SECRET_PREFIX.encode() + text, text


def _other_writings(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield what the same body may have been before something read and wrote it, each with its name."""
    if len(body) > MAX_DIAGNOSED_BYTES:
        return
    yield "with a line feed at its end", body + b"\n"
    yield "without the white space around it", body.strip()
    yield "without its byte order mark", body.removeprefix(b"\xef\xbb\xbf")
    yield "with CR LF line ends", body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    yield "with LF line ends", body.replace(b"\r\n", b"\n")
    try:
        document = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):  # not JSON, or nothing that a sender of ours would write
        return
    for order, sort_keys in (("", False), (", members sorted", True)):
        for layout, options in _LAYOUTS:
            for escapes, text in _escaped(document, sort_keys=sort_keys, **options):
                yield f"{layout}{order}{escapes}", text.encode("utf-8", "surrogatepass")


def _escaped(document: Any, **options: Any) -> Iterator[tuple[str, str]]:
    """Yield one layout under the escapes that JSON writers choose: JavaScript's, Python's, Go's and PHP's."""
    try:
        plain = json.dumps(document, ensure_ascii=False, **options)
        ascii_only = json.dumps(document, **options)
    except (TypeError, RecursionError):  # members that cannot be sorted, or nested too deep to be written
        return
    yield "", plain
    yield ", ASCII-escaped", ascii_only
    html = plain.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    yield ", with <, > and & escaped", html.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    yield ", ASCII-escaped, slashes too", ascii_only.replace("/", "\\/")
