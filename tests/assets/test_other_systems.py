"""What only some systems have is never needed: the rooms load and a folder is read without it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.assets.test_probes import wav

SCRIPT = """
import importlib, os, pkgutil, sys
import httpx, keyring.backend, pydantic, truststore  # what they need of a system is their own business
for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "sched_getaffinity", "mkfifo", "getuid", "fork"):
    delattr(os, name)
for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[name] = None
for room in ("assets", "manifest", "client"):
    package = importlib.import_module(f"reinmaker_cli.{room}")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
from pathlib import Path
from reinmaker_cli.assets.project import bare_project
from reinmaker_cli.assets.scan import scan_folder
print([asset.id for asset in scan_folder(bare_project(Path(sys.argv[1]))).assets])
"""


def test_a_folder_is_scanned_where_posix_is_missing(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav(800))
    done = subprocess.run([sys.executable, "-c", SCRIPT, tmp_path], capture_output=True, text=True, check=False)
    assert (done.stderr, done.stdout) == ("", "['a-wav']\n")
