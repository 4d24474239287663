"""Clients that generators make from the document: compiled, and used to publish a manifest."""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import tempfile
from pathlib import Path

from tests.proof.target import KNOWN_USER, Target
from tests.proof.verdict import HERE, NODE_MODULES, PEERS_BIN, Peer, Verdict, node_tool, run, said_last, tail
from tests.server.openapi_document import document

ENVIRONMENT = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
MUST_NOT_COMPILE = 6
"""Statements of `wrong.ts`."""


class DidNotCompile(Exception):
    """What was generated, or what uses it, is no program."""


def typescript(target: Target, scratch: Path) -> Verdict:
    """Generate types, compile `publish.ts`, see that `wrong.ts` does not compile, and publish."""
    folder = _compiled_typescript()
    words: list[str | Path] = ["node", folder / "publish.js"]
    return _published(words, target, scratch, compiled=1 + MUST_NOT_COMPILE)


def python(target: Target, scratch: Path) -> Verdict:
    """Generate a package, compile it, and publish."""
    words: list[str | Path] = [PEERS_BIN / "python", HERE / "python" / "publish.py"]
    return _published(words, target, _compiled_python(), compiled=1)


@functools.cache
def _compiled_typescript() -> Path:
    """Return the folder of the compiled client; it depends on the document alone."""
    scratch = _folder()
    for file in (HERE / "node" / "client").iterdir():
        shutil.copy(file, scratch)
    (scratch / "package.json").write_text('{"type": "module"}')
    (scratch / "node_modules").symlink_to(NODE_MODULES)
    _write_document(scratch)
    made = run([node_tool("openapi-typescript"), "openapi.json", "-o", "schema.d.ts"], env=ENVIRONMENT, cwd=scratch)
    if made.returncode != 0:
        raise DidNotCompile(tail(made.stdout + made.stderr))
    compiled = run([node_tool("tsc"), "--project", "tsconfig.json"], env=ENVIRONMENT, cwd=scratch)
    if compiled.returncode != 0:
        raise DidNotCompile(tail(compiled.stdout))
    config = json.loads((scratch / "tsconfig.json").read_text()) | {"files": ["wrong.ts"]}
    (scratch / "tsconfig.wrong.json").write_text(json.dumps(config))
    wrong = run([node_tool("tsc"), "--project", "tsconfig.wrong.json", "--noEmit"], env=ENVIRONMENT, cwd=scratch)
    lines = {line.partition(",")[0] for line in wrong.stdout.splitlines() if line.startswith("wrong.ts(")}
    if len(lines) != MUST_NOT_COMPILE:
        raise DidNotCompile(f"{len(lines)} of {MUST_NOT_COMPILE} statements of wrong.ts do not compile: {wrong.stdout}")
    return scratch


@functools.cache
def _compiled_python() -> Path:
    """Return the folder of the generated package; it depends on the document alone."""
    scratch = _folder()
    # It formats what it made with ruff from the PATH; without it, it warns and exits 0.
    env = ENVIRONMENT | {"PATH": f"{PEERS_BIN}:{ENVIRONMENT['PATH']}"}
    _write_document(scratch)
    words = (
        "generate",
        "--path",
        "openapi.json",
        "--output-path",
        "reinmaker_api",
        "--meta",
        "none",
        "--fail-on-warning",
    )
    made = run([PEERS_BIN / "openapi-python-client", *words], env=env, cwd=scratch)
    if made.returncode != 0:
        raise DidNotCompile(tail(made.stdout + made.stderr))
    compiled = run([PEERS_BIN / "python", "-m", "compileall", "-q", "reinmaker_api"], env=env, cwd=scratch)
    if compiled.returncode != 0:
        raise DidNotCompile(tail(compiled.stdout + compiled.stderr))
    return scratch


def _folder() -> Path:
    folder = tempfile.TemporaryDirectory(prefix="reinmaker-proof-")
    atexit.register(folder.cleanup)
    return Path(folder.name)


def _write_document(scratch: Path) -> None:
    (scratch / "openapi.json").write_text(json.dumps(document(), default=str))


def _published(program: list[str | Path], target: Target, scratch: Path, *, compiled: int) -> Verdict:
    words = [*program, target.url, target.client_id, target.client_secret, KNOWN_USER]
    ended = run(words, env=target.environment(), cwd=scratch, timeout_s=60)
    if ended.returncode != 0:
        return Verdict(0, (said_last(ended.stderr),))
    return Verdict(compiled + len(json.loads(ended.stdout)))


TYPESCRIPT = Peer("TypeScript client", typescript, at_least=17, needs=("node",))
PYTHON = Peer("Python client", python, at_least=12)
