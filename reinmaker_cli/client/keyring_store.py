"""The operating system's keyring, as one text per service, behind a time limit.

`keyring.get_keyring()` is not asked: with `keyrings.alt` installed it silently gives plain text, or a chainer that
contains it. The backends that keep secrets encrypted are instantiated by name instead; all others do not exist here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from importlib import import_module
from typing import Final, TypeVar

from keyring.backend import KeyringBackend
from keyring.errors import KeyringError, KeyringLocked, PasswordDeleteError

from reinmaker_cli.contract import codes
from reinmaker_cli.errors import AccessDenied

Result = TypeVar("Result")

USERNAME: Final = "client"

ALLOWED_BACKENDS: Final = (
    "keyring.backends.macOS:Keyring",
    "keyring.backends.Windows:WinVaultKeyring",
    "keyring.backends.SecretService:Keyring",
    "keyring.backends.libsecret:Keyring",
    "keyring.backends.kwallet:DBusKeyring",
)

UNATTENDED_LIMIT_S: Final = 3.0  # nobody is there to unlock it
INTERACTIVE_LIMIT_S: Final = 60.0  # time to find the dialog and type a password
SAY_WAITING_AFTER_S: Final = 1.0

_HINT = "for this session: `export REINMAKER_CLIENT_ID=… REINMAKER_CLIENT_SECRET=…`"


def open_allowed_backend() -> KeyringBackend:
    """Return the best allowed backend that works here, or raise KeyringError."""
    viable = [backend for name in ALLOWED_BACKENDS if (backend := _load(name)).viable]
    if not viable:
        raise KeyringError("no Keychain, Credential Manager, Secret Service or KWallet in this session")
    return max(viable, key=lambda backend: backend.priority)()


def _load(name: str) -> type[KeyringBackend]:
    module, _, class_name = name.partition(":")
    backend: type[KeyringBackend] = getattr(import_module(module), class_name)
    return backend


class KeyringStore:
    """Reads and writes one text per service; every failure is an AccessDenied that names the variables."""

    def __init__(
        self,
        open_backend: Callable[[], KeyringBackend] = open_allowed_backend,
        *,
        limit_s: float = UNATTENDED_LIMIT_S,
        on_waiting: Callable[[], None] = lambda: None,
        say_waiting_after_s: float = SAY_WAITING_AFTER_S,
    ) -> None:
        """Remember how to open the keyring; nothing is opened before it is needed.

        `on_waiting` is called once, after a second without an answer: the keyring is waiting to be unlocked.
        """
        self._open_backend = open_backend
        self._limit_s = limit_s
        self._on_waiting = on_waiting
        self._say_waiting_after_s = min(say_waiting_after_s, limit_s)

    def get(self, service: str) -> str | None:
        """Return the text of the service, or None."""
        return self._call("read", lambda backend: backend.get_password(service, USERNAME))

    def set(self, service: str, text: str) -> None:
        """Store the text, in place of an earlier one."""
        self._call("written", lambda backend: backend.set_password(service, USERNAME, text))

    def delete(self, service: str) -> bool:
        """Remove the text; False where there was none."""

        def remove(backend: KeyringBackend) -> bool:
            if backend.get_password(service, USERNAME) is None:
                return False
            try:
                backend.delete_password(service, USERNAME)
            except PasswordDeleteError:
                if backend.get_password(service, USERNAME) is None:  # somebody else was quicker
                    return False
                raise
            return True

        return self._call("changed", remove)

    def describe(self) -> str:
        """Return the name of the backend in use."""
        return self._call("read", lambda backend: f"{type(backend).__module__}.{type(backend).__name__}")

    def is_locked(self) -> bool:
        """Return whether reading needs somebody who unlocks it, without asking anybody; False where none can tell."""
        return self._call("read", _is_locked)

    def _call(self, verb: str, ask: Callable[[KeyringBackend], Result]) -> Result:
        # A daemon thread: an executor's thread is joined when the program ends, so a hanging keyring would hang it.
        answers: list[Result] = []
        failures: list[BaseException] = []
        done = threading.Event()

        def run() -> None:
            try:
                answers.append(ask(self._open_backend()))
            except BaseException as error:  # noqa: BLE001  carried to the caller, which raises from it
                failures.append(error)
            finally:
                done.set()

        threading.Thread(target=run, name="keyring", daemon=True).start()
        if not done.wait(self._say_waiting_after_s):
            self._on_waiting()
            if not done.wait(self._limit_s - self._say_waiting_after_s):
                message = f"the keyring did not answer within {self._limit_s:g} s"
                raise AccessDenied(message, code=codes.KEYRING_LOCKED, hint=f"unlock it, or {_HINT}")
        if failures:
            raise _explain(failures[0], verb) from failures[0]
        return answers[0]


def _is_locked(backend: KeyringBackend) -> bool:
    if type(backend).__module__ != "keyring.backends.SecretService":
        return False
    import secretstorage  # comes with keyring on Linux
    from secretstorage.collection import DEFAULT_COLLECTION

    with closing(secretstorage.dbus_init()) as connection:
        try:
            # Not `get_default_collection`: where there is none it makes one, which is a prompt.
            return bool(secretstorage.Collection(connection, DEFAULT_COLLECTION).is_locked())
        except secretstorage.ItemNotFoundException:
            return True


def _explain(error: BaseException, verb: str) -> AccessDenied:
    """Return our error for a backend's. Backends let errors of their own libraries through: any of them means no.

    Only texts of the `keyring` package are quoted: what a foreign library puts into its messages nobody knows.
    """
    if isinstance(error, KeyringLocked):
        return AccessDenied("the keyring stayed locked", code=codes.KEYRING_LOCKED, hint=f"unlock it, or {_HINT}")
    said = str(error) if isinstance(error, KeyringError) else type(error).__name__
    return AccessDenied(f"the keyring cannot be {verb}: {said}", code=codes.KEYRING_UNAVAILABLE, hint=_HINT)
