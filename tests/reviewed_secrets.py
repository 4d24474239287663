"""What looks like a secret in the source, held against what somebody has looked at: `.secrets.baseline`.

`make lint` fails on what nobody has looked at; `make secrets` takes all of it for looked at. detect-secrets' own hook
compares line numbers too, and so fails whenever a line moves.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BASELINE = ROOT / ".secrets.baseline"
NOT_LOOKED_AT = (".lock", "package-lock.json", ".png", ".svg", BASELINE.name, "swagger-ui-bundle.js", "swagger-ui.css")
"""Digests by design, pictures, and what others minified."""


def main() -> str | int:
    """Compare or, with `--accept`, write the baseline; return what `sys.exit` takes."""
    found = _scan()
    if "--accept" in sys.argv:
        BASELINE.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
        return 0
    known = _secrets(json.loads(BASELINE.read_text("utf-8")))
    if unknown := sorted(_secrets(found) - known):
        places = "\n".join(f"  {file}: {kind}" for file, kind, _ in unknown)
        return f"looks like a secret:\n{places}\nis none of them one? then: `make secrets`"
    print(f"detect-secrets: {len(_secrets(found))} places, all of them looked at")
    return 0


def _scan() -> dict[str, Any]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    files = [name for name in listed.stdout.split("\0") if name and not name.endswith(NOT_LOOKED_AT)]
    command = [sys.executable, "-m", "detect_secrets", "scan", "--no-verify", "--slim"]
    there = [name for name in files if (ROOT / name).is_file()]
    scanned = subprocess.run([*command, *there], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(scanned.stdout)
    if not found["results"]:
        raise RuntimeError("nothing found, not even the examples: the scan does not see")
    return found


def _secrets(found: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {(file, one["type"], one["hashed_secret"]) for file, these in found["results"].items() for one in these}


if __name__ == "__main__":
    sys.exit(main())
