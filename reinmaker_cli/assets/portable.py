"""Names in one folder -> findings: which of them some system cannot hold, and which would become one file there.

The quick tests run once over all names of a folder joined by `/`; single names are looked at only where one says no.
Looking at each folder by itself is enough: two colliding paths first differ in two names of the same folder.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence

from reinmaker_cli.contract import codes
from reinmaker_cli.contract.findings import Finding

# Microsoft, "Naming Files, Paths, and Namespaces": reserved characters and device names (superscript digits included).
_FORBIDDEN = bytes(range(0x20)) + b'<>:"|?*\\\x7f'
_DEVICES = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
    + [port + digit for port in ("COM", "LPT") for digit in "0123456789¹²³"]
)
_DEVICE_STARTS = ("/con", "/prn", "/aux", "/nul", "/com", "/lpt")


def name_findings(names: Sequence[str], prefix: str) -> list[Finding]:
    """Return what is wrong with the names of one folder, all UTF-8; `prefix` is its path, ending in `/`."""
    joined = f"/{'/'.join(names)}/"
    lowered = joined.lower()
    findings: list[Finding] = []
    if _may_be_unportable(joined, lowered):
        findings.extend(
            codes.UNPORTABLE_NAME.finding(f"{fact}: `{printable(prefix + name)}`", path=printable(prefix + name))
            for name in names
            if (fact := _unportable(name)) is not None
        )
    if joined.isascii():
        if len(set(lowered.split("/"))) <= len(names):  # the frame gives one empty name more
            findings.extend(_collisions(names, prefix, str.lower))
    elif len(set(unicodedata.normalize("NFC", joined).casefold().split("/"))) <= len(names):
        findings.extend(_collisions(names, prefix, _fold))
    return findings


def is_utf8(name: str) -> bool:
    """Return whether a name, read with `surrogateescape`, is text that a manifest can hold."""
    if name.isascii():
        return True
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def printable(name: str) -> str:
    """Return the name as text that any terminal and JSON can hold: stray bytes and control characters as `\\xNN`."""
    if name.isascii() and name.isprintable():
        return name
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    return f"\\x{ord(letter):02x}" if ord(letter) < 0x100 else f"\\u{ord(letter):04x}"


def not_utf8(path: str) -> Finding:
    """Return the finding for a name whose bytes are no UTF-8."""
    shown = printable(path)
    return codes.UNPORTABLE_NAME.finding(f"name is not UTF-8: `{shown}`", path=shown)


def _may_be_unportable(joined: str, lowered: str) -> bool:
    raw = joined.encode()
    return (
        len(raw.translate(None, _FORBIDDEN)) != len(raw)
        or "./" in joined
        or " /" in joined
        or any(start in lowered for start in _DEVICE_STARTS)
    )


def _unportable(name: str) -> str | None:
    control = next((letter for letter in name if letter < " " or letter == "\x7f"), None)
    if control is not None:
        return f"name holds the control character U+{ord(control):04X}"
    reserved = next((letter for letter in name if letter in '<>:"|?*\\'), None)
    if reserved is not None:
        return f"name holds {reserved}, which Windows forbids"
    if name[-1] in ". ":
        return f"name ends in a {'dot' if name[-1] == '.' else 'space'}, which Windows drops"
    device = name.split(".")[0].rstrip(" ").upper()
    return f"name is the Windows device {device}" if device in _DEVICES else None


def _collisions(names: Sequence[str], prefix: str, fold: Callable[[str], str]) -> list[Finding]:
    first: dict[str, str] = {}
    findings = []
    for name in sorted(names):
        other = first.setdefault(fold(name), name)
        if other is name:
            continue
        path = prefix + name
        if unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", other):
            message = f"two names look the same, in other Unicode forms ({_forms(other)} and {_forms(name)}): `{path}`"
            findings.append(codes.UNICODE_COLLISION.finding(message, path=path))
        else:
            message = f"one file on Windows and macOS: `{prefix}{other}` and `{path}`"
            findings.append(codes.CASE_COLLISION.finding(message, path=path))
    return findings


def _fold(name: str) -> str:
    # Letter by letter: file systems fold ß to itself, while str.casefold() makes it `ss`.
    return "".join(
        folded if len(folded := letter.casefold()) == 1 else letter for letter in unicodedata.normalize("NFC", name)
    )


def _forms(name: str) -> str:
    return next((form for form in ("NFC", "NFD") if unicodedata.normalize(form, name) == name), "mixed")
