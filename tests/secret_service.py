"""A real keyring of a desktop, on a bus of its own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

needs_keyring = pytest.mark.skipif(
    not all(map(shutil.which, ("dbus-daemon", "gnome-keyring-daemon"))), reason="no Secret Service here"
)


@contextmanager
def secret_service(runtime: Path, variables: dict[str, str]) -> Iterator[dict[str, str]]:
    """Have a bus of its own with GNOME's keyring on it, unlocked and empty; yield the variables that lead to it.

    `variables` are what both programs are started with; `runtime` is a folder that does not exist yet.
    """
    runtime.mkdir(mode=0o700)
    variables = {**variables, "XDG_RUNTIME_DIR": str(runtime)}
    bus = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--print-address"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=variables,
    )
    assert bus.stdout is not None
    variables["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().decode().strip()
    keyring = subprocess.Popen(
        ["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=variables,
    )
    assert keyring.stdin is not None and keyring.stdout is not None
    keyring.stdin.write(b"pw")
    keyring.stdin.close()
    keyring.stdout.readline()  # what it says once it is on the bus
    try:
        yield {name: variables[name] for name in ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")}
    finally:
        for process in (keyring, bus):
            process.terminate()
            process.wait()
        keyring.stdout.close()
        bus.stdout.close()
