"""The keyring: only the ones that encrypt, and never for longer than its limit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from keyring.errors import InitError, KeyringLocked

from reinmaker_cli.client import keyring_store
from reinmaker_cli.client.keyring_store import ALLOWED_BACKENDS, KeyringStore, open_allowed_backend
from reinmaker_cli.errors import AccessDenied
from tests.client.keyrings import Failing, LockedUntil, MemoryKeyring


def test_a_text_is_kept_replaced_and_removed() -> None:
    backend = MemoryKeyring()
    store = KeyringStore(lambda: backend)
    assert store.get("service") is None
    store.set("service", "one")
    store.set("service", "two")
    assert store.get("service") == "two"
    assert (store.delete("service"), store.delete("service"), store.get("service")) == (True, False, None)


def test_a_keyring_that_does_not_answer_ends_at_the_limit() -> None:
    backend, said = LockedUntil(), []
    store = KeyringStore(lambda: backend, limit_s=0.2, say_waiting_after_s=0.05, on_waiting=lambda: said.append(1))
    with pytest.raises(AccessDenied) as caught:
        store.get("service")  # the backend never answers
    backend.unlocked.set()
    assert said == [1]
    assert caught.value.code == "keyring-locked"
    assert "REINMAKER_CLIENT_SECRET" in caught.value.hint


def test_a_keyring_unlocked_in_time_answers() -> None:
    backend = LockedUntil()
    backend.entries["service", "client"] = "text"
    store = KeyringStore(lambda: backend, limit_s=30, say_waiting_after_s=0.01, on_waiting=backend.unlocked.set)
    assert store.get("service") == "text"


def test_a_hanging_keyring_does_not_hang_the_program() -> None:
    program = (
        "import threading\n"
        "from reinmaker_cli.client.keyring_store import KeyringStore\n"
        "from reinmaker_cli.errors import AccessDenied\n"
        "try: KeyringStore(lambda: threading.Event().wait(), limit_s=0.1).get('x')\n"
        "except AccessDenied as error: print(error.code)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert ended.stdout == "keyring-locked\n"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyringLocked("no"), "keyring-locked"),
        (InitError("no collection"), "keyring-unavailable"),
        (OSError("the bus went away"), "keyring-unavailable"),  # backends let errors of their libraries through
    ],
)
def test_every_failure_names_the_variables(error: Exception, code: str) -> None:
    with pytest.raises(AccessDenied) as caught:
        KeyringStore(lambda: Failing(error)).get("service")
    assert (caught.value.code, caught.value.exit_code) == (code, 4)
    assert "REINMAKER_CLIENT_ID" in caught.value.hint


@pytest.mark.parametrize("name", ALLOWED_BACKENDS)
def test_each_allowed_backend_is_a_class_of_the_installed_keyring(name: str) -> None:
    assert issubclass(keyring_store._load(name), keyring_store.KeyringBackend)


@pytest.mark.parametrize("word", ["null", "fail", "chainer", "alt"])
def test_no_backend_that_keeps_nothing_or_plain_text_is_allowed(word: str) -> None:
    assert not any(word in name for name in ALLOWED_BACKENDS)


def test_without_a_session_there_is_no_keyring_whatever_the_configuration_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "tests.client.keyrings.MemoryKeyring")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    if sys.platform != "linux":
        pytest.skip("this system's keyring needs no session")
    with pytest.raises(AccessDenied) as caught:
        KeyringStore(open_allowed_backend).get("service")
    assert caught.value.code == "keyring-unavailable"


TOOLS = ("dbus-run-session", "gnome-keyring-daemon", "secret-tool")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]

REAL_PROGRAM = """
import subprocess
from reinmaker_cli.client.keyring_store import KeyringStore
store = KeyringStore(limit_s=120)
service = "reinmaker:https://api.example|https://auth.example"
assert store.get(service) is None
store.set(service, '{"clientSecret": "s3cret"}')
words = ["secret-tool", "lookup", "service", service, "username", "client"]
seen = subprocess.run(words, capture_output=True, text=True)
print(store.describe(), seen.stdout, store.get(service) == seen.stdout, store.delete(service), store.get(service))
"""


@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
def test_a_real_secret_service_keeps_the_entry_where_other_programs_find_it(tmp_path: Path) -> None:
    """Commands of a session of its own, as proof that the keyring is the real one and encrypted at rest."""
    (tmp_path / "run").mkdir(mode=0o700)
    (tmp_path / "program.py").write_text(REAL_PROGRAM)
    unlock = "printf %s pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null"
    folders = {"HOME": tmp_path, "XDG_DATA_HOME": tmp_path / "share", "XDG_RUNTIME_DIR": tmp_path / "run"}
    ended = subprocess.run(
        ["dbus-run-session", "--", "bash", "-c", f"{unlock}; exec '{sys.executable}' '{tmp_path}/program.py'"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.getcwd(), **{name: str(f) for name, f in folders.items()}},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.stdout.split("\n")[0] == (
        'keyring.backends.SecretService.Keyring {"clientSecret": "s3cret"} True True None'
    ), ended.stderr
    kept = b"".join(path.read_bytes() for path in (tmp_path / "share").rglob("*") if path.is_file())
    assert kept and b"s3cret" not in kept
