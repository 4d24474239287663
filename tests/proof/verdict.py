"""What a peer says of a server, and how peers are asked."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.proof.target import Target

HERE = Path(__file__).resolve().parent
NODE_MODULES = HERE / "node" / "node_modules"
PEERS_BIN = Path(sys.executable).parent.parent / "peers" / "bin"
"""The virtual environment of peers that are written in Python: what they need is none of the product's business."""


class NotAsked(Exception):
    """The tool itself did not run to its end, so it says nothing of the server."""


@dataclass(frozen=True)
class Verdict:
    """What a peer looked at, and what it found wrong."""

    checks: int
    failures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """Figures worth a line, such as what was not reached."""


@dataclass(frozen=True)
class Peer:
    """One tool, or one of our own that no tool replaces."""

    name: str
    judge: Callable[[Target, Path], Verdict]
    """Asks the server, with a folder to write in; a failure of the peer itself is a failure."""
    at_least: int
    """Checks below which a green verdict says nothing."""
    needs: tuple[str, ...] = ()
    """Programs of this machine: `node`, `chromium`."""
    tls: bool = False
    """True: its server speaks TLS, which such clients want."""
    looks_at_server: bool = True
    """False: it reads the documents only, and no break of the server can be seen by it."""


def run(
    words: Sequence[str | Path], *, env: dict[str, str], cwd: Path, timeout_s: float = 300
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and return what it said; NotAsked where that takes too long."""
    try:
        return subprocess.run(
            list(map(str, words)), env=env, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=timeout_s, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise NotAsked(f"{Path(words[0]).name} did not end within {timeout_s:g} s") from error


def node_tool(name: str) -> Path:
    """Return the program of an npm package that `npm ci` installed."""
    return NODE_MODULES / ".bin" / name


def tail(text: str, lines: int = 12) -> str:
    """Return the last lines, for a failure that is shown to a person."""
    return "\n".join(text.strip().splitlines()[-lines:])


def said_last(stderr: str) -> str:
    """Return the error of a program that ended by one: the line that names it, not the stack around it."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip() and not line.startswith("Node.js")]
    named = [line for line in lines if re.match(r"(\w+\.)*\w*(Error|Exception|Warning)\b|not so: ", line)]
    return (named or lines or [""])[-1]
