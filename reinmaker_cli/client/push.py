"""Assets -> bucket: what is not there yet is put there, and nothing that is there is ever replaced.

1. look at every object: missing, there with these bytes, or there with other bytes
2. stop where something is wrong, or in a dry run. Until here nothing was sent
3. read each missing file once into memory, hash it, and put just these bytes, on the condition that nothing is there

What a file holds may change at any time, so the bytes that are hashed are the bytes that are sent. Who is quicker than
we are wins, and is then looked at like anybody else. There is no journal: the bucket is one, so a run that was killed
at any instant is continued by the same command.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from reinmaker_cli.assets.reading import NotRegular, open_regular, reason_of
from reinmaker_cli.buckets.objects import Objects
from reinmaker_cli.client.content_types import content_type
from reinmaker_cli.client.events import Looked, OnEvent, Pushed, ignore
from reinmaker_cli.client.push_plan import Upload
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.findings import Finding
from reinmaker_cli.errors import ContentInvalid, ReinmakerError, ServerUnreachable

LOOKS_AT_ONCE: Final = 32
UPLOADS_AT_ONCE: Final = 8
MEMORY_BYTES: Final = 512 << 20
"""For the files that are on their way together; one that is larger goes alone."""
READ_BYTES: Final = 1 << 20
TRIES: Final = 3
"""For an object that is there when it is put, and gone when it is looked at."""

State = Literal["missing", "present", "uploaded", "differs", "changed", "unsent"]


@dataclass(slots=True)
class PushReport:
    """What came of a push, always fit to be reported."""

    states: dict[Upload, State]
    """In the order of the plan; `unsent` is what nobody looked at or sent."""
    findings: list[tuple[Upload, Finding]] = field(default_factory=list)
    error: ReinmakerError | None = None
    """What ended it early: a store that refuses or does not answer."""

    def count(self, *states: State) -> tuple[int, int]:
        """Return number and bytes of the objects in these states."""
        sizes = [upload.bytes for upload, state in self.states.items() if state in states]
        return len(sizes), sum(sizes)

    @property
    def errors(self) -> dict[str, ReinmakerError]:
        """The manifests that cannot go, because of an asset that does not lie where its URL says, and why not."""
        found: dict[str, ReinmakerError] = {}
        if self.error is not None:
            missing = (upload for upload, state in self.states.items() if state not in ("present", "uploaded"))
            found = {name: self.error for upload in missing for name in upload.manifest_ids}
        for name in {name for upload, _ in self.findings for name in upload.manifest_ids}:
            own = [finding for upload, finding in self.findings if name in upload.manifest_ids]
            fact = f"{len(own)} assets of `{name}` cannot be put where their URLs say"
            found[name] = ContentInvalid(fact, code=own[0].code, hint=own[0].hint, findings=own)
        return found


class Push:
    """One push. `run` may be left by a signal: `report` has what was done until then."""

    def __init__(
        self,
        uploads: Iterable[Upload],
        objects: Objects,
        *,
        dry_run: bool = False,
        keep_going: bool = False,
        deadline_s: float | None = None,
        on_event: OnEvent = ignore,
    ) -> None:
        self.report = PushReport(dict.fromkeys(uploads, "unsent"))
        self._objects = objects
        self._dry_run, self._keep_going, self._deadline_s = dry_run, keep_going, deadline_s
        self._on_event = on_event
        self._is_stopped = False

    def run(self) -> PushReport:
        """Look at everything, put what is missing, and return what came of it. KeyboardInterrupt passes through."""
        try:
            asyncio.run(self._run())
        except TimeoutError:
            self.report.error = ServerUnreachable(
                "time ran out before everything was uploaded",
                code=codes.OUT_OF_TIME,
                hint="run the same command again, or give a longer --deadline",
            )
        return self.report

    async def _run(self) -> None:
        try:
            async with asyncio.timeout(self._deadline_s):
                await self._look_and_send()
        finally:
            self._is_stopped = True  # here: `asyncio.run` waits for the threads that read, before it returns

    async def _look_and_send(self) -> None:
        await self._for_each(self.report.states, LOOKS_AT_ONCE, self._look)
        report = self.report
        self._on_event(Looked(len(report.states), *report.count("missing"), report.count("present")[0]))
        if self._dry_run or report.error is not None or (report.findings and not self._keep_going):
            return
        missing = [upload for upload, state in report.states.items() if state == "missing"]
        memory = _Memory(MEMORY_BYTES)
        await self._for_each(missing, UPLOADS_AT_ONCE, lambda upload: self._send(upload, memory))

    async def _for_each(
        self, uploads: Iterable[Upload], at_once: int, work: Callable[[Upload], Awaitable[None]]
    ) -> None:
        """Do the work for each, so many at once. After an error nothing new is begun, and what is under way ends."""
        waiting = iter(list(uploads))

        async def worker() -> None:
            for upload in waiting:
                if self.report.error is not None:
                    return
                try:
                    await work(upload)
                except ReinmakerError as error:
                    self.report.error = self.report.error or error

        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(worker())

    # --- one object ---------------------------------------------------------------------------------------------------

    async def _look(self, upload: Upload) -> None:
        """Note what is there."""
        found = await self._objects.look(upload.target)
        if found is None:
            self.report.states[upload] = "missing"
            return
        if found.bytes == upload.bytes and found.claimed_sha256 == upload.sha256:
            self.report.states[upload] = "present"
            return
        # Another size proves it; else nobody's word is asked but the bytes'.
        sha256 = await self._objects.hash(upload.target, found.bytes) if found.bytes == upload.bytes else ""
        if sha256 == upload.sha256:
            self.report.states[upload] = "present"
            return
        other = sha256 or f"{found.bytes} bytes"
        fact = f"other bytes are there already: `{upload.target.text}`"
        where = {"path": upload.path, "manifest_id": upload.manifest_ids[0]}
        hint = "they stay; give this file another URL, as {sha256:8} in `url` does, or find out who put them there"
        finding = codes.ASSET_IMMUTABLE.finding(fact, hint=hint, **where, expected=upload.sha256, found=other)
        self._fail(upload, "differs", finding)

    async def _send(self, upload: Upload, memory: _Memory) -> None:
        async with memory.holding(upload.bytes):
            content = await asyncio.to_thread(self._read, upload)
            if isinstance(content, Finding):
                self._fail(upload, "changed", content)
                return
            for _ in range(TRIES):
                if await self._objects.create(upload.target, content, upload.sha256, content_type(upload.path)):
                    self.report.states[upload] = "uploaded"
                    self._on_event(Pushed(upload.path, upload.url, upload.bytes))
                    return
                # Somebody was quicker, or it was us, and the answer was lost.
                await self._look(upload)
                if self.report.states[upload] != "missing":
                    return
        raise ServerUnreachable(
            f"there when it is put, and gone when it is looked at: `{upload.target.text}`",
            code=codes.BUCKET_UNREACHABLE,
            hint="does somebody remove objects from this bucket?",
        )

    def _fail(self, upload: Upload, state: State, finding: Finding) -> None:
        self.report.states[upload] = state
        self.report.findings.append((upload, finding))

    def _read(self, upload: Upload) -> bytearray | Finding:
        """Return the whole file, whose bytes are those of the manifest, or the finding that says why not."""
        where = {"path": upload.path, "manifest_id": upload.manifest_ids[0]}
        try:
            descriptor, status = open_regular(upload.os_path)
            with open(descriptor, "rb", buffering=0) as file:
                if status.st_size != upload.bytes:
                    size = f"{status.st_size} bytes"
                    return codes.FILE_CHANGED.finding(
                        f"changed since it was hashed: `{upload.path}`", **where, expected=upload.sha256, found=size
                    )
                content, digest, done = bytearray(upload.bytes), hashlib.sha256(), 0
                while done < upload.bytes and not self._is_stopped:
                    piece = memoryview(content)[done : done + READ_BYTES]
                    count = file.readinto(piece)
                    if not count:
                        break
                    digest.update(piece[:count])
                    done += count
        except NotRegular:
            return codes.FILE_CHANGED.finding(f"no regular file any more: `{upload.path}`", **where)
        except OSError as error:
            return codes.UNREADABLE.finding(f"{reason_of(error)}: `{upload.path}`", **where)
        sha256 = digest.hexdigest()
        if sha256 != upload.sha256:
            return codes.FILE_CHANGED.finding(
                f"changed since it was hashed: `{upload.path}`", **where, expected=upload.sha256, found=sha256
            )
        return content


class _Memory:
    """So many bytes may be held at a time; more than all of them only alone."""

    def __init__(self, total: int) -> None:
        self._total, self._held = total, 0
        self._changed = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def holding(self, size: int) -> AsyncIterator[None]:
        async with self._changed:
            await self._changed.wait_for(lambda: self._held == 0 or self._held + size <= self._total)
            self._held += size
        try:
            yield
        finally:
            async with self._changed:
                self._held -= size
                self._changed.notify_all()
