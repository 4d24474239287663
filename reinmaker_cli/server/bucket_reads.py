"""An asset's object in a bucket -> its size and hash, with the store's own credentials; all of its bytes are read.

No answer of these stores to obstore holds a SHA-256 that the store itself has computed, so nobody's word is taken.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable

from reinmaker_cli.buckets.objects import Objects
from reinmaker_cli.contract.object_urls import ObjectUrl
from reinmaker_cli.errors import AccessDenied, ReinmakerError
from reinmaker_cli.server.downloads import DownloadFailed, Failures, limit_s
from reinmaker_cli.server.folders import Content


class BucketReader:
    """Reads objects; safe for several threads."""

    def __init__(self, stop: Callable[[], bool]) -> None:
        self._stop = stop
        self._objects = Objects(os.environ)
        self._failures = Failures()

    def read(self, target: ObjectUrl, expected_bytes: int) -> Content | None:
        """Return size and hash of an object, reading only what has the expected size.

        None where these credentials may not read it: then this server has no way to. DownloadFailed where nothing is
        there, or nothing came.
        """
        self._failures.require_hope(target.store)
        try:
            content = self._content(target, expected_bytes)
        except FileNotFoundError as error:
            raise DownloadFailed(f"no such object: `{target.text}`") from error
        except AccessDenied:
            return None
        except ReinmakerError as error:
            raise self._failures.failed(target.store, error.message) from error
        self._failures.passed(target.store)
        return content

    def _content(self, target: ObjectUrl, expected_bytes: int) -> Content:
        ends_at = time.monotonic() + limit_s(expected_bytes)
        with self._objects.opened(target, expected_bytes) as (size, pieces):
            if size != expected_bytes:
                return Content(size, None)
            digest, done = hashlib.sha256(), 0
            for piece in pieces():
                if self._stop():
                    raise DownloadFailed("stopped")
                if time.monotonic() > ends_at:
                    raise DownloadFailed(f"no complete answer in time: `{target.text}`")
                digest.update(piece)
                done += len(piece)
            return Content(done, digest.hexdigest())
