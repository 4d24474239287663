"""The data folder of a server: who may use it, and `client.json`, by which the command line finds the server."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reinmaker_cli.contract import codes, names
from reinmaker_cli.contract.models import LocalClient
from reinmaker_cli.errors import UsageError
from reinmaker_cli.server.client_secrets import new_client_id, new_secret
from reinmaker_cli.server.clock import DAY_S, Clock
from reinmaker_cli.server.listening import Listening
from reinmaker_cli.server.store import Store

CLIENT_FILE = "client.json"
LOCK_FILE = "server.lock"
RENEW_SECRET_AFTER_DAYS = 60  # well before the 90 at which it is refused


@contextmanager
def occupied_folder(data: Path | None) -> Iterator[Path]:
    """Yield the data folder, for this server alone until the block is left; None: a private one, removed then."""
    if data is None:
        with tempfile.TemporaryDirectory(prefix="reinmaker-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)
        return
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(data / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise UsageError(
            f"cannot use the data folder: `{data}` ({error.strerror})",
            code=codes.DATABASE_FAILED,
            hint="check its permissions, or use another folder with --data",
        ) from error
    try:
        if not _lock(lock):
            raise _in_use(data)
        os.truncate(lock, 0)
        os.write(lock, str(os.getpid()).encode())
        yield data
    finally:
        os.close(lock)


def _in_use(data: Path) -> UsageError:
    """Return the error that says who has the folder, and how to go on."""
    try:
        holder = (data / LOCK_FILE).read_text(encoding="ascii")
    except (OSError, ValueError):  # Windows lets nobody read what is locked
        holder = ""
    client = _read_client(data)
    place = f", at {client.api_url}" if client is not None else ""
    stop = f"`kill {holder}` stops it; " if holder.isdecimal() else ""
    return UsageError(
        f"a server runs with the data folder `{data}`{place}",
        code=codes.DATA_IN_USE,
        hint=f"use that one: `reinmaker health`; {stop}one beside it: `reinmaker serve --ephemeral --port 0`",
    )


def development_client(store: Store, data: Path, listening: Listening, clock: Clock) -> LocalClient:
    """Return the development client, made at the first start, with a secret that still lives for a month."""
    kept = _read_client(data)
    known = store.clients.development(kept.client_id if kept else None)
    if known is None:
        client_id, secret = new_client_id(), new_secret()
        scopes = [str(scope) for scope in names.Scope]
        store.clients.add(client_id, secret, name="development", scopes=scopes, now=clock.now(), is_development=True)
    else:
        client_id, secret = known.client_id, kept.client_secret if kept else ""
        fitting = [stored for stored in known.secrets if stored.fits(secret)]
        if not fitting or clock.now() - fitting[0].created_at > RENEW_SECRET_AFTER_DAYS * DAY_S:
            secret = new_secret()
            store.clients.add_secret(client_id, secret, now=clock.now())
    control_token = kept.control_token if kept else new_secret()
    client = local_client(client_id, secret, control_token, listening)
    write_client(data, client)
    return client


def local_client(client_id: str, secret: str, control_token: str, listening: Listening) -> LocalClient:
    """Return what `client.json` is to say of the development client and of where the server is."""
    api_url, control_url = listening.public_url, listening.control_url
    # Left out where it is at the API's address, whatever that is from where the file is read.
    apart = {} if control_url == api_url else {"control_url": control_url}
    return LocalClient(client_id=client_id, client_secret=secret, api_url=api_url, control_token=control_token, **apart)


def write_client(data: Path, client: LocalClient) -> None:
    """Put `client.json` in place in one step, readable by its owner alone."""
    handle, name = tempfile.mkstemp(prefix=CLIENT_FILE, dir=data)  # 0600 from the start
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(client.to_json(), file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(data / CLIENT_FILE)


def _read_client(data: Path) -> LocalClient | None:
    """Return what an earlier start wrote; None where there is nothing that can be used, and a new one is made."""
    try:
        return LocalClient.model_validate_json((data / CLIENT_FILE).read_bytes())
    except (OSError, ValueError):
        return None


def _lock(descriptor: int) -> bool:
    """Return whether the lock is ours; the system lets go of it when the process ends, however it ends."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
