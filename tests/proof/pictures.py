"""Take the pictures of the inspector that the documentation shows: `make pictures`. Times are always the same."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from tests.proof.verdict import HERE, run, tail
from tests.scene import REJECTED, Scene, working_day

ROOT = HERE.parents[1]
FOLDER = ROOT / "docs" / "pictures"


def pictures(scene: Scene) -> dict[str, tuple[str, str, str]]:
    """Return the name of each picture: light or dark, its size, and the view."""
    wide, phone = "1180x740", "360x740"
    open_one = scene.caller.control.get("/_local/webhooks/deliveries?status=open").json()["items"][0]
    dead_one = scene.caller.control.get("/_local/webhooks/deliveries?status=dead").json()["items"][0]
    return {
        "inspector-overview": ("light", wide, "overview"),
        "inspector-rejected": ("light", wide, f"manifests?id={REJECTED}"),
        "inspector-deliveries": ("dark", wide, "deliveries"),
        "inspector-delivery": ("light", wide, f"deliveries?id={dead_one['deliveryId']}"),
        "inspector-requests": ("dark", wide, "requests"),
        "inspector-phone": ("light", phone, f"manifests?id={REJECTED}"),
        "inspector-phone-dark": ("dark", phone, f"deliveries?id={open_one['deliveryId']}"),
    }


def take(folder: Path, more: dict[str, tuple[str, str, str]] | None = None) -> None:
    """Take them all."""
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, working_day(Path(scratch)) as scene:
        words = [f"{name}={':'.join(one)}" for name, one in (pictures(scene) | (more or {})).items()]
        chromium = shutil.which("chromium") or "chromium"
        env = {"PATH": os.environ["PATH"], "HOME": scratch, "CHROMIUM": chromium, "CONTROL_TOKEN": scene.control_token}
        ended = run(["node", HERE / "node" / "pictures.mjs", scene.url, folder, *words], env=env, cwd=ROOT)
    if ended.returncode != 0:
        sys.exit(tail(ended.stderr))


if __name__ == "__main__":
    take(FOLDER)
