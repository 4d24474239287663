"""Are these the real bytes? Git LFS pointers, empty files, and bytes that are not what the name says."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from reinmaker_cli.assets.magic import FORMATS, OTHER_MEDIA, describe, is_html, is_xml
from reinmaker_cli.assets.reading import read_head
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.findings import Finding

if TYPE_CHECKING:
    from reinmaker_cli.assets.walked import WalkedFile

# Git LFS specification, "The Pointer": fewer than 1,024 bytes, `version` first; hawser is its name before 1.0.
_LFS_MAX_BYTES = 1024
_LFS_VERSION = re.compile(rb"version https?://(?:git-lfs\.github\.com|hawser\.github\.com|git-media\.io)/")
_LFS_OID = re.compile(rb"^oid sha256:([0-9a-f]{64})\r?$", re.MULTILINE)
_LFS_SIZE = re.compile(rb"^size ([0-9]{1,19})\r?$", re.MULTILINE)

# NVIDIA's exports name the solver's pose matrix; caches made from them are frames of blendshape weights.
_A2F_EXPORT = re.compile(rb'"(?:weightMat|facsNames|exportFps|numPoses|blendShapeNames)"\s*:', re.IGNORECASE)
_FRAMES = re.compile(rb'"(?:frames|animation_data)"\s*:\s*\[')
_FRAME_CONTENT = re.compile(
    rb'"(?:fps|blendShapes|jaw(?:Open|Forward|Left|Right)|eyeBlink_?(?:L|R|Left|Right)|mouth[A-Z]\w*)"\s*:',
    re.IGNORECASE,
)


def check_head(path: str, head: bytes, size: int) -> Finding | None:
    """Return what is wrong with a file of `size` bytes that begins with `head` (its first KiB), or None."""
    if size == 0:
        return codes.EMPTY_FILE.finding(f"empty file: `{path}`", path=path)
    if head.startswith(b"version ") and size < _LFS_MAX_BYTES and _LFS_VERSION.match(head):
        return _lfs_pointer(path, head)
    extension = extension_of(path)
    known = FORMATS.get(extension)
    if known is not None:
        called, is_it = known
        return None if is_it(head) else _mismatch(path, f"not {called} but {describe(head)}", describe(head))
    if extension in OTHER_MEDIA and (is_html(head) or is_xml(head)):
        return _mismatch(path, f"not media but {describe(head)}", describe(head))
    return None


def lfs_pointers(files: Iterable[WalkedFile]) -> Iterator[Finding]:
    """Yield the finding of each file that Git LFS left a pointer for; reads the small ones and no others."""
    for file in files:
        if not 0 < file.size < _LFS_MAX_BYTES:
            continue
        try:
            head = read_head(file.os_path, _LFS_MAX_BYTES, seen=file.place)
        except OSError:  # `unreadable` is a finding of the scan
            continue
        found = check_head(file.path, head, file.size)
        if found is not None and found.code == codes.LFS_POINTER:
            yield found


def extension_of(path: str) -> str:
    """Return the extension in lower case with its dot, or empty: `posixpath.splitext`, at a third of its time."""
    dot = path.rfind(".")
    return path[dot:].lower() if dot > path.rfind("/") + 1 else ""


def looks_like_audio2face(head: bytes) -> bool:
    """Return whether JSON that begins so holds Audio2Face animation: an export, or frames of blendshape weights."""
    if not head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n").startswith(b"{"):
        return False
    if _A2F_EXPORT.search(head) is not None:
        return True
    return _FRAMES.search(head) is not None and _FRAME_CONTENT.search(head) is not None


def _lfs_pointer(path: str, head: bytes) -> Finding:
    oid, size = _LFS_OID.search(head), _LFS_SIZE.search(head)
    pull = pull_command(path)
    if oid is None or size is None:
        message = "damaged Git LFS pointer instead of the file"
        return codes.LFS_POINTER.finding(message, hint=f"`git checkout` it again, then `{pull}`", path=path)
    message = f"Git LFS pointer instead of the {int(size[1])} bytes it stands for"
    return codes.LFS_POINTER.finding(message, hint=f"`{pull}`", path=path, expected=oid[1].decode())


def pull_command(path: str, folder: str = "") -> str:
    """Return the command that fetches a file; `folder` is where to run it, empty for here."""
    place = f"-C {shlex.quote(folder)} " if folder else ""
    return f"git {place}lfs pull --include={_quoted(path)}"


def _quoted(path: str) -> str:
    return shlex.quote(path) if any(letter in path for letter in '"$`\\!') else f'"{path}"'


def _mismatch(path: str, fact: str, found: str) -> Finding:
    return codes.MAGIC_MISMATCH.finding(f"{fact}: `{path}`", path=path, found=found)
