"""A look inside a file while its bytes are known to be the ones hashed: is it real, and what does it say of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from reinmaker_cli.assets.digest import HEAD_BYTES, Content
from reinmaker_cli.assets.guards import check_head, extension_of, looks_like_audio2face
from reinmaker_cli.assets.probes import probe
from reinmaker_cli.assets.reading import read_head, unreadable
from reinmaker_cli.assets.walked import WalkedFile
from reinmaker_cli.contract.findings import Finding


class Seen(NamedTuple):
    """What a look inside one file found."""

    finding: Finding | None = None
    """Why these are not the real bytes; then nobody looked further."""
    metadata: Mapping[str, Any] | None = None
    """What the file says of itself; None where nobody asked."""
    is_audio2face: bool | None = None
    """Whether a `.json` holds animation; None for other files."""


NOTHING_ASKED = Seen()


@dataclass(frozen=True, slots=True)
class Look:
    """Guards and probes a file; called from several threads, and sent to other processes."""

    wants_probe: bool

    def __call__(self, file: WalkedFile, content: Content) -> Seen:
        finding = check_head(file.path, content.head, content.size)
        if finding is not None:
            return Seen(finding)
        extension = extension_of(file.path)
        is_audio2face = looks_like_audio2face(content.head) if extension == ".json" else None
        if self.wants_probe:
            return Seen(None, probe(content.open, extension, content.head, content.size), is_audio2face)
        return NOTHING_ASKED if is_audio2face is None else Seen(None, None, is_audio2face)


def guard_unmatched(file: WalkedFile) -> list[Finding]:
    """Return what is wrong with a file that no rule matches: a pointer there is two things to mend, said in one run."""
    try:
        head = read_head(file.os_path, HEAD_BYTES, seen=file.place)
    except OSError as error:
        return [unreadable(file.path, error)]
    guarded = check_head(file.path, head, file.size)
    return [guarded] if guarded is not None else []
