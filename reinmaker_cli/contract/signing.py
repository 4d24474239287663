"""Sign and verify a webhook: Standard Webhooks 1.0.0, on both sides of it.

`webhook-signature` holds one `v1,<base64>` per live secret, an HMAC-SHA256 over `{id}.{timestamp}.{body}` with the
exact bytes of the body. What does not verify comes with the reason: `diagnosis.py` finds the mistakes people make.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets as random_secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

SECRET_PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32
MIN_SECRET_BYTES, MAX_SECRET_BYTES = 24, 64  # Standard Webhooks 1.0.0, "Signature scheme"
VERSION: Final = "v1"
TOLERANCE_S: Final = 300  # how far a sender's clock may be from ours

ID_HEADER: Final = "webhook-id"
TIMESTAMP_HEADER: Final = "webhook-timestamp"
SIGNATURE_HEADER: Final = "webhook-signature"
HEADERS: Final = (ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER)

_TIMESTAMP: Final = re.compile(r"(?:0|[1-9][0-9]{0,11})\Z")  # int() would take "١٢", "1_0" and " 7" too
_MESSAGE_ID: Final = re.compile(r"[!-~]+\Z")


class Reason(StrEnum):
    """Why a webhook was not verified."""

    HEADER_MISSING = "header-missing"
    HEADER_MALFORMED = "header-malformed"
    TIMESTAMP_NOT_A_NUMBER = "timestamp-not-a-number"
    TIMESTAMP_TOO_OLD = "timestamp-too-old"
    TIMESTAMP_TOO_NEW = "timestamp-too-new"
    OTHER_VERSION = "other-version"
    SECRET_ENDED = "secret-ended"
    SECRET_NOT_DECODED = "secret-not-decoded"
    BODY_RESERIALISED = "body-reserialised"
    WRONG_SECRET = "wrong-secret"


@dataclass(frozen=True, slots=True)
class Verified:
    """A webhook that somebody signed who has one of the secrets."""

    message_id: str
    timestamp_s: int
    """When it was signed, Unix seconds."""
    secret_number: int = 0
    """Which of the secrets fits, by its place in the sequence."""


@dataclass(frozen=True, slots=True)
class NotVerified:
    """A webhook that may be anybody's."""

    reason: Reason
    detail: str
    """A sentence for people: lower case, no full stop, nothing of the secret or the body in it."""


def new_secret() -> str:
    """Return a new secret as people exchange it: `whsec_` and the base64 of 32 random bytes."""
    return SECRET_PREFIX + base64.b64encode(random_secrets.token_bytes(SECRET_BYTES)).decode()


def secret_bytes(secret: str) -> bytes:
    """Return the key that a secret stands for. ValueError, which never quotes it, where it is none.

    The prefix may be missing: other libraries show secrets without it.
    """
    text = secret.removeprefix(SECRET_PREFIX)
    try:
        key = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        # `from None`: the chained error would keep the secret in its frame.
        raise ValueError(f"not a signing secret: {SECRET_PREFIX} and base64 are wanted") from None
    if not MIN_SECRET_BYTES <= len(key) <= MAX_SECRET_BYTES:
        raise ValueError(f"a signing secret has {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} bytes, this one {len(key)}")
    return key


def signed_content(message_id: str, timestamp_s: int, body: bytes) -> bytes:
    """Return the bytes that a signature is made over."""
    return f"{message_id}.{timestamp_s}.".encode() + body


def sign(secret: bytes, message_id: str, timestamp_s: int, body: bytes) -> str:
    """Return one signature, `v1,` and a base64 HMAC-SHA256.

    `body` is the exact bytes sent; re-encoded JSON will not verify.
    Source: Standard Webhooks 1.0.0, "Signature scheme".
    """
    digest = hmac.digest(secret, signed_content(message_id, timestamp_s, body), hashlib.sha256)
    return f"{VERSION},{base64.b64encode(digest).decode()}"


def signature_header(secrets: Sequence[bytes], message_id: str, timestamp_s: int, body: bytes) -> str:
    """Return the value of `webhook-signature`: one signature per secret, newest first."""
    return " ".join(sign(secret, message_id, timestamp_s, body) for secret in secrets)


def verify(
    secrets: Sequence[bytes],
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: float,
    tolerance_s: float = TOLERANCE_S,
    ended: Sequence[bytes] = (),
) -> Verified | NotVerified:
    """Return who sent a webhook and when, or why that cannot be said. Raises nothing, whatever the headers hold.

    1. All three headers are there and readable; their names count without regard to case.
    2. One `v1` signature is that of one of the secrets, over the headers and the exact body; compared in constant time.
    3. The timestamp is within `tolerance_s` of `now`, Unix seconds: an old one may be a replay.

    `ended`: earlier secrets of the same endpoint. They verify nothing, and let the reason say so.
    """
    read = _read_headers(headers)
    if isinstance(read, NotVerified):
        return read
    message_id, timestamp_s, signatures = read
    number = find_signing_secret(secrets, message_id, timestamp_s, body, signatures)
    untimely = _untimely(timestamp_s, now, tolerance_s)
    if untimely is not None:
        fits = "its signature is right" if number is not None else "its signature is wrong too"
        return NotVerified(untimely.reason, f"{untimely.detail}; {fits}")
    if number is None:
        from reinmaker_cli.contract.diagnosis import diagnose

        return diagnose(secrets, message_id, timestamp_s, body, signatures, ended=ended)
    return Verified(message_id, timestamp_s, number)


def find_signing_secret(
    secrets: Sequence[bytes], message_id: str, timestamp_s: int, body: bytes, signatures: Sequence[bytes]
) -> int | None:
    """Return the place of the first secret that made one of the signatures; None where none did."""
    found = None
    for number, secret in enumerate(secrets):
        expected = sign(secret, message_id, timestamp_s, body).encode()
        for signature in signatures:
            # Bytes: compare_digest raises on text that is not ASCII.
            if hmac.compare_digest(expected, signature) and found is None:
                found = number
    return found


def _read_headers(headers: Mapping[str, str]) -> tuple[str, int, tuple[bytes, ...]] | NotVerified:
    """Return id, timestamp and the `v1` signatures."""
    given = {name.lower(): value for name, value in headers.items()}
    missing = [name for name in HEADERS if not given.get(name, "").strip()]
    if missing:
        return NotVerified(Reason.HEADER_MISSING, f"without {', '.join(f'`{name}`' for name in missing)}")
    message_id, timestamp = given[ID_HEADER], given[TIMESTAMP_HEADER]
    if not _MESSAGE_ID.match(message_id):
        return NotVerified(Reason.HEADER_MALFORMED, f"`{ID_HEADER}` has spaces or is not ASCII")
    if not _TIMESTAMP.match(timestamp):
        return NotVerified(Reason.TIMESTAMP_NOT_A_NUMBER, f"`{TIMESTAMP_HEADER}` is not a number of Unix seconds")
    signatures = _signatures_of(given[SIGNATURE_HEADER])
    return signatures if isinstance(signatures, NotVerified) else (message_id, int(timestamp), signatures)


def _signatures_of(value: str) -> tuple[bytes, ...] | NotVerified:
    entries = value.split()
    ours = [entry for entry in entries if entry.startswith(f"{VERSION},")]
    if ours:
        return tuple(entry.encode("utf-8", "surrogatepass") for entry in ours)
    versions = sorted({entry.partition(",")[0] for entry in entries if re.match(r"v[0-9a-z]{1,8},", entry)})
    if versions:
        detail = (
            f"no `{VERSION}` signature in `{SIGNATURE_HEADER}`, only {', '.join(f'`{one}`' for one in versions[:5])}"
        )
        return NotVerified(Reason.OTHER_VERSION, detail)
    return NotVerified(Reason.HEADER_MALFORMED, f"`{SIGNATURE_HEADER}` is not `{VERSION},` and base64")


def _untimely(timestamp_s: int, now: float, tolerance_s: float) -> NotVerified | None:
    age_s = now - timestamp_s
    if age_s > tolerance_s:
        excess_s = max(1, round(age_s - tolerance_s))
        detail = f"signed {age_s:.0f} s ago, {excess_s} s more than the {tolerance_s:.0f} s allowed"
        return NotVerified(Reason.TIMESTAMP_TOO_OLD, detail)
    if age_s < -tolerance_s:
        excess_s = max(1, round(-age_s - tolerance_s))
        detail = (
            f"signed {-age_s:.0f} s from now, {excess_s} s more than the {tolerance_s:.0f} s allowed; is a clock wrong?"
        )
        return NotVerified(Reason.TIMESTAMP_TOO_NEW, detail)
    return None
