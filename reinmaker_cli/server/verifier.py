"""Manifest -> verdict: the asynchronous validation of a manifest's assets.

1. Each URL is located: registered folder, `--map`, http(s), bucket, or nowhere (`sources.py`).
2. What can be read is read, small files one by one, large files, URLs and objects side by side (`folders.py`,
   `downloads.py`, `bucket_reads.py`).
3. The published hashes of the URLs are looked up, for `asset-immutable`.
4. All of it is judged, in the order of the manifest (`judgement.py`).

Pure of database and of Starlette, so that it also runs in a worker process. 100,000 URLs that nothing here can read
cost a fraction of a second: no object is made for an asset that has nothing wrong.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from reinmaker_cli.contract.models import Validation
from reinmaker_cli.server.bucket_reads import BucketReader
from reinmaker_cli.server.downloads import MAX_CONNECTIONS, Downloader, DownloadFailed
from reinmaker_cli.server.folders import FileRefused, read_content
from reinmaker_cli.server.judgement import AssetRef, Seen, Unreachable, judge
from reinmaker_cli.server.sources import BadPlace, InBucket, InFolder, Locator, OnTheWeb, Place, Sources

__all__ = ["AssetRef", "FindPublished", "Sources", "VerificationStopped", "never_stop", "verify"]

LARGE_FILE_BYTES: Final = 1 << 20
"""From here on a thread pays: below it, handing a file over costs more than hashing it."""
STOP_CHECK_EVERY: Final = 256
"""Small files between two looks at `stop`."""


FindPublished = Callable[[], Mapping[int, str]]
"""Index and hash of those assets whose URL an active or superseded manifest names with another hash."""


class VerificationStopped(Exception):
    """`stop` said so: no verdict was reached, and the same call later starts anew."""


def never_stop() -> bool:
    """Return False: run to the end."""
    return False


def verify(
    assets: Sequence[AssetRef],
    sources: Sources,
    *,
    strict: bool,
    immutable: FindPublished,
    stop: Callable[[], bool] = never_stop,
) -> Validation:
    """Return the verdict; the manifest is rejected where its `error_count` is not 0.

    `strict` makes an asset that no source reads an error, else it is counted in a warning. Raises VerificationStopped.
    """
    locator = Locator(sources)
    places = [locator.place_of(asset.url) for asset in assets]
    seen = _read_all(assets, places, sources, stop)
    published = immutable()
    if stop():
        raise VerificationStopped
    return judge(assets, places, seen, published, strict=strict)


# --- reading ---------------------------------------------------------------------------------------------------------


def _read_all(
    assets: Sequence[AssetRef], places: Sequence[Place], sources: Sources, stop: Callable[[], bool]
) -> list[Seen]:
    seen: list[Seen] = [None] * len(assets)
    large: list[int] = []
    remote: list[int] = []
    objects: list[int] = []
    for position, (asset, place) in enumerate(zip(assets, places, strict=True)):
        if position % STOP_CHECK_EVERY == 0 and stop():
            raise VerificationStopped
        if isinstance(place, InFolder):
            if asset.bytes >= LARGE_FILE_BYTES:
                large.append(position)
            else:
                seen[position] = _read_file(place)
        elif isinstance(place, OnTheWeb):
            remote.append(position)
        elif isinstance(place, InBucket):
            objects.append(position)
        elif isinstance(place, BadPlace):
            seen[position] = Unreachable(place.reason)
    if large:
        tasks = ((position, partial(_read_file, places[position])) for position in large)
        _run_side_by_side(tasks, seen, min(4, os.cpu_count() or 1), stop)
    if remote:
        downloader = Downloader(sources.policy, stop=stop)
        try:
            tasks = ((position, partial(_download, downloader, assets[position])) for position in remote)
            _run_side_by_side(tasks, seen, MAX_CONNECTIONS, stop)
        finally:
            downloader.close()
    if objects:
        reader = BucketReader(stop)
        tasks = ((position, partial(_read_object, reader, places[position], assets[position])) for position in objects)
        _run_side_by_side(tasks, seen, MAX_CONNECTIONS, stop)
    return seen


def _run_side_by_side(
    tasks: Iterable[tuple[int, Callable[[], Seen]]], seen: list[Seen], threads: int, stop: Callable[[], bool]
) -> None:
    """Put what each task returns at its position; VerificationStopped as soon as `stop` says so."""

    def run(task: tuple[int, Callable[[], Seen]]) -> tuple[int, Seen]:
        if stop():
            raise VerificationStopped
        position, read = task
        return position, read()

    pool = ThreadPoolExecutor(threads, thread_name_prefix="verify")
    try:
        for position, result in pool.map(run, tasks):
            seen[position] = result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    if stop():  # a reading that was broken off must not count as a fact about the asset
        raise VerificationStopped


def _read_file(place: Place) -> Seen:
    assert isinstance(place, InFolder)
    try:
        return read_content(place.root, place.parts)
    except FileRefused as error:
        return Unreachable(str(error))


def _read_object(reader: BucketReader, place: Place, asset: AssetRef) -> Seen:
    assert isinstance(place, InBucket)
    try:
        return reader.read(place.target, asset.bytes)
    except DownloadFailed as error:
        return Unreachable(str(error))


def _download(downloader: Downloader, asset: AssetRef) -> Seen:
    try:
        return downloader.read(asset.url, asset.bytes)
    except DownloadFailed as error:
        return Unreachable(str(error))
