"""Snapshots: the whole state of a server in a file each, taken while it answers, and put back in one step.

What is in memory follows what was put back: the clock, limits, keys, the development client. Validations and deliveries
stand still meanwhile; what was claimed before counts no more (`store/snapshots.py`). Faults are no part of a snapshot.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reinmaker_cli.contract import codes
from reinmaker_cli.errors import ReinmakerError
from reinmaker_cli.server.data_folder import development_client
from reinmaker_cli.server.problems import ApiProblem
from reinmaker_cli.server.store.database import DatabaseUnwritable, SnapshotFailed
from reinmaker_cli.server.store.snapshots import look_at

if TYPE_CHECKING:
    from reinmaker_cli.server.services import Services
    from reinmaker_cli.server.store.people import Forgotten
    from reinmaker_cli.server.store.snapshots import Taken

FOLDER: Final = "snapshots"
SUFFIX: Final = ".sqlite3"
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One state that was kept."""

    name: str
    size_bytes: int
    taken: Taken


class SnapshotFolder:
    """The files of the snapshots. Calls block, and run in threads."""

    def __init__(self, data: Path) -> None:
        self._folder = data / FOLDER
        self.changing = asyncio.Lock()
        """Held by whoever puts a state in place, or changes what is kept: one at a time."""

    def all(self) -> list[Snapshot]:
        """Return the snapshots, by name."""
        files = sorted(self._folder.glob("*" + SUFFIX)) if self._folder.is_dir() else []
        found = (self._look(file) for file in files if NAME.fullmatch(file.name.removesuffix(SUFFIX)))
        return [snapshot for snapshot in found if snapshot is not None]

    def keep(self, name: str, write: Callable[[Path], None], *, replace: bool) -> Snapshot:
        """Keep the file that `write` writes under a name: all of it, or nothing has happened."""
        file = self._file(name)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        with self._scratch() as scratch:
            write(scratch)
            # A name is taken in one step: two who want the same one at once do not both get it.
            if replace:
                scratch.replace(file)
            else:
                try:
                    file.hardlink_to(scratch)
                except FileExistsError as error:
                    raise ApiProblem(codes.SNAPSHOT_EXISTS, f"there is a snapshot of that name: {name}") from error
        kept = self._look(file)
        assert kept is not None
        return kept

    @contextmanager
    def copy_of(self, name: str) -> Iterator[Path]:
        """Yield a copy of a snapshot, to be changed and thrown away."""
        file = self._file(name)
        with self._scratch() as scratch:
            try:
                shutil.copyfile(file, scratch)
            except FileNotFoundError as error:
                raise ApiProblem(codes.SNAPSHOT_NOT_FOUND, f"no snapshot of that name: {name}") from error
            if look_at(scratch) is None:
                raise ApiProblem(codes.SNAPSHOT_UNUSABLE, f"the file of snapshot {name} is none: damaged, or foreign")
            yield scratch

    @contextmanager
    def empty(self) -> Iterator[Path]:
        """Yield a place for a database that is thrown away."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        with self._scratch() as scratch:
            yield scratch

    def change_all(self, change: Callable[[Path], None]) -> None:
        """Put what `change` makes of a copy in the place of each snapshot."""
        for snapshot in self.all():
            with self.copy_of(snapshot.name) as copy:
                change(copy)
                copy.replace(self._file(snapshot.name))

    def remove(self, name: str) -> None:
        """Remove a snapshot."""
        try:
            self._file(name).unlink()
        except FileNotFoundError as error:
            raise ApiProblem(codes.SNAPSHOT_NOT_FOUND, f"no snapshot of that name: {name}") from error

    def _file(self, name: str) -> Path:
        """Return the file of a name: no name leads out of the folder."""
        if not NAME.fullmatch(name):
            raise ApiProblem(
                codes.REQUEST_INVALID,
                "a name has 1 to 64 letters, digits and ._-, and begins with one of the first two",
            )
        return self._folder / (name + SUFFIX)

    def _look(self, file: Path) -> Snapshot | None:
        taken = look_at(file)
        return None if taken is None else Snapshot(file.name.removesuffix(SUFFIX), file.stat().st_size, taken)

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        scratch = self._folder / f".{secrets.token_hex(8)}"  # no name begins with a dot
        try:
            yield scratch
        finally:
            for end in ("", "-wal", "-shm", "-journal"):
                Path(f"{scratch}{end}").unlink(missing_ok=True)


async def take(services: Services, name: str, *, replace: bool) -> Snapshot:
    """Keep the state of this moment; requests go on beside it.

    While nobody puts another in place or forgets a user, and the clock stands still: the file is of one state.
    """

    def write(file: Path) -> None:
        clock, now = services.timekeeper.kept_text(), services.clock.now()
        services.store.snapshots.copy_into(file, clock=clock, now=now)

    async with services.snapshots.changing, services.timekeeper.standing_still():
        with _told_failures():
            await services.threads.read(services.tokens.wait_for_key)
            return await services.threads.read(services.snapshots.keep, name, write, replace=replace)


async def remove(services: Services, name: str) -> None:
    """Remove a snapshot; not while it is written anew, which would bring it back."""
    async with services.snapshots.changing:
        await services.threads.read(services.snapshots.remove, name)


async def restore(services: Services, name: str) -> None:
    """Put the state of a snapshot in the place of all there is."""

    def change() -> None:
        with services.snapshots.copy_of(name) as file:
            services.store.snapshots.prepare_restore(file)
            services.store.snapshots.replace_with(file)
            services.timekeeper.reload()

    await _change_state(services, change, lambda: services.journal.mark(f"restored {name}"))


async def reset(services: Services) -> None:
    """Make the server as it was freshly started; programs around it go on with what they know it by."""

    def change() -> None:
        with services.snapshots.empty() as file:
            services.store.snapshots.prepare_reset(file, now=time.time())
            services.store.snapshots.replace_with(file)
            services.timekeeper.reload()

    await _change_state(services, change, lambda: services.journal.mark("reset", empty=True))


async def forget(services: Services, user_id: str) -> Forgotten:
    """Erase a user: from the store, and from what snapshots would bring back."""

    def erase(copy: Path) -> None:
        services.store.snapshots.forget_user(copy, user_id)

    async with services.snapshots.changing:
        forgotten = await services.threads.write(services.store.people.forget, user_id)
        await services.threads.write(services.store.people.leave_no_bytes)
        with _told_failures():
            await services.threads.read(services.snapshots.change_all, erase)
    return forgotten


async def _change_state(services: Services, change: Callable[[], None], mark: Callable[[], None]) -> None:
    """Run `change` in the thread that writes, with everything that works by itself at rest; reload what is in memory.

    1. Stop deliveries and validations: whoever is still under way somewhere is fenced by the epoch of the database.
    2. Hold the clock, so that no move is kept in one state and made in the other.
    3. Change the database and, before anybody writes to it again, the clock.
    4. Reload limits, keys and the development client, `mark` the journal; go on, whether it could be changed or not.

    Nobody counts meanwhile: what is there of one state is nothing that came about in the other.
    """
    async with services.snapshots.changing:
        await services.threads.read(services.tokens.wait_for_key)  # one that is still being made belongs to this state
        await services.deliveries.stop()
        await services.validations.stop()
        services.counts.pause()
        try:
            with _told_failures():
                async with services.timekeeper.standing_still():
                    await services.threads.write(change)
            await _reload(services, mark)
        finally:
            services.counts.go_on()
            try:
                await services.validations.resume()
            finally:
                await services.deliveries.resume()
        services.changes.announce_all()


async def _reload(services: Services, mark: Callable[[], None]) -> None:
    services.limits.begin_again(await services.threads.read(services.store.client_limits.all))
    services.faults.clear()
    await services.threads.write(services.tokens.reload)
    await services.threads.write(development_client, services.store, services.data, services.listening, services.clock)
    await services.threads.write(services.keep_endpoints)
    mark()
    await services.counts.begin()


@contextmanager
def _told_failures() -> Iterator[None]:
    """Say as a problem what the disk or the snapshot is to blame for."""
    try:
        yield
    except SnapshotFailed as error:
        raise ApiProblem(codes.SNAPSHOT_FAILED, f"nothing was changed: {error}") from error
    except DatabaseUnwritable as error:
        raise ApiProblem(codes.SNAPSHOT_FAILED, "nothing was changed: the disk takes no more") from error
    except OSError as error:
        reason = (error.strerror or "no reason given").lower()
        raise ApiProblem(codes.SNAPSHOT_FAILED, f"nothing was changed: {reason}") from error
    except ReinmakerError as error:
        if error.code == codes.DATABASE_NEWER:
            detail = "a newer reinmaker took the snapshot; upgrade this one"
            raise ApiProblem(codes.SNAPSHOT_UNUSABLE, detail) from error
        raise ApiProblem(
            codes.SNAPSHOT_FAILED, "nothing was changed: the copy of the snapshot cannot be used"
        ) from error
