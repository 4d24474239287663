"""Objects: look at one, read one, put one where nothing was."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from reinmaker_cli.buckets.failures import failure_of
from reinmaker_cli.buckets.stores import Stores
from reinmaker_cli.contract.object_urls import FOLDER, ObjectUrl

if TYPE_CHECKING:
    from obstore import GetResult

SHA256_METADATA: Final = "reinmakersha256"
"""Put with the bytes in one request by whoever had just hashed them. A claim, not the store's own checksum.

Letters and digits only: on Azure a name of metadata is an identifier of C#.
"""
READ_BYTES: Final = 256 << 10
"""Small enough that a slow store is noticed, and can be left, between two pieces."""


class Found(NamedTuple):
    """What a store says of an object."""

    bytes: int
    claimed_sha256: str
    """What its uploader wrote beside it; empty where nobody did."""


class Objects:
    """The objects that URLs may mean, in whatever stores. Raises the errors of `failure_of` and of `Stores`."""

    def __init__(self, variables: Mapping[str, str], *, ca_file: Path | None = None) -> None:
        self._variables = dict(variables)
        self._stores = Stores(variables, ca_file=ca_file)

    async def look(self, target: ObjectUrl) -> Found | None:
        """Return what is there; None where nothing is."""
        store = self._stores.store(target.scheme, target.bucket)
        import obstore  # only now: where it is not installed, the line above says what to do

        with self._failures(target):
            try:
                answer = await obstore.get_async(store, target.key, options={"head": True})
            except FileNotFoundError:
                return None
            return Found(answer.meta["size"], answer.attributes.get(SHA256_METADATA, ""))

    async def create(self, target: ObjectUrl, content: bytearray, sha256: str, content_type: str) -> bool:
        """Put an object where nothing is, in one request; False where something is. `sha256` is that of `content`."""
        store = self._stores.store(target.scheme, target.bucket, len(content))
        import obstore
        from obstore.exceptions import AlreadyExistsError

        attributes = {"Content-Type": content_type, SHA256_METADATA: sha256}
        with self._failures(target):
            try:
                await obstore.put_async(
                    store,
                    target.key,
                    content,
                    attributes=None if target.scheme == FOLDER else attributes,
                    mode="create",
                    use_multipart=False,  # a multipart upload cannot be made on a condition
                )
            except AlreadyExistsError:
                return False
        return True

    async def hash(self, target: ObjectUrl, size_bytes: int) -> str:
        """Read a whole object and return its SHA-256 in hex; empty where it is gone."""
        digest = hashlib.sha256()
        store = self._stores.store(target.scheme, target.bucket, size_bytes)
        import obstore

        with self._failures(target):
            try:
                answer = await obstore.get_async(store, target.key)
            except FileNotFoundError:
                return ""
            async for piece in answer.stream(READ_BYTES):
                digest.update(piece)
        return digest.hexdigest()

    @contextmanager
    def opened(self, target: ObjectUrl, expected_bytes: int) -> Iterator[tuple[int, Callable[[], Iterator[bytes]]]]:
        """Yield size and pieces of an object, for whoever reads without an event loop; FileNotFoundError without one.

        The pieces are read as they are asked for. `expected_bytes` says how long that may take.
        """
        store = self._stores.store(target.scheme, target.bucket, expected_bytes)
        import obstore

        with self._failures(target, passes=FileNotFoundError):
            answer: GetResult = obstore.get(store, target.key)
            yield answer.meta["size"], lambda: map(bytes, answer.stream(READ_BYTES))

    @contextmanager
    def _failures(self, target: ObjectUrl, passes: type[Exception] | tuple[()] = ()) -> Iterator[None]:
        from obstore.exceptions import BaseError

        try:
            yield
        except passes:
            raise
        except (BaseError, FileNotFoundError) as error:
            raise failure_of(error, target, self._variables) from error
