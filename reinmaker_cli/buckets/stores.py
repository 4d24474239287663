"""A bucket's name -> an object store of obstore that can be asked. Each is opened once."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from reinmaker_cli.buckets.access import (
    aws,
    endpoint_of,
    no_credentials,
    require_library,
    require_safe,
)
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.loopback import is_loopback_url
from reinmaker_cli.contract.object_urls import FOLDER
from reinmaker_cli.errors import UsageError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

ANSWER_LIMIT_S: Final = 30
"""For one request, beside the time that its bytes take."""
SLOWEST_BYTES_S: Final = 16 << 10
"""Several share a line, and a slow line is no reason to begin again; TCP notices one that is dead."""
_RETRIES: Final = {"max_retries": 4, "retry_timeout": timedelta(seconds=120)}
_NOWHERE: Final = "http://127.0.0.1:9"


class Stores:
    """Object stores by scheme, bucket and how long a request may take. Safe for several threads."""

    def __init__(self, variables: Mapping[str, str], *, ca_file: Path | None = None) -> None:
        self._variables = variables
        self._ca_file = ca_file
        self._open: dict[tuple[str, str, int], ObjectStore] = {}
        self._lock = threading.Lock()

    def store(self, scheme: str, bucket: str, size_bytes: int = 0) -> ObjectStore:
        """Return the store of a bucket for a request that moves so many bytes.

        UsageError where it cannot be used from here, AccessDenied where there are no credentials. Asks nobody, but for
        S3 the chain of credentials may.
        """
        # obstore has one time limit a store, for the whole of a request: sizes within a factor of two share one.
        size_class = ((size_bytes >> 20) + 1).bit_length() if size_bytes else 0
        with self._lock:
            known = self._open.get((scheme, bucket, size_class))
            if known is None:
                limit_s = ANSWER_LIMIT_S + ((1 << (20 + size_class)) // SLOWEST_BYTES_S if size_class else 0)
                known = self._open[scheme, bucket, size_class] = self._opened(scheme, bucket, limit_s)
            return known

    def _opened(self, scheme: str, bucket: str, limit_s: int) -> ObjectStore:
        require_library()
        from obstore.exceptions import BaseError
        from obstore.store import LocalStore

        if scheme == FOLDER:
            return LocalStore(bucket)
        try:
            return {"s3": self._s3, "gs": self._gs, "az": self._az}[scheme](bucket, limit_s)
        except BaseError as error:
            raise UsageError(
                f"{scheme}:// is not set up as its variables say",
                code=codes.BUCKET_UNUSABLE,
                hint="check them: AZURE_STORAGE_ACCOUNT_NAME names the account, GOOGLE_APPLICATION_CREDENTIALS a file",
            ) from error

    def _s3(self, bucket: str, limit_s: int) -> ObjectStore:
        from obstore.store import S3Store

        known = aws()
        require_safe(known.endpoint)
        if known.fetch is None:
            raise no_credentials("s3")
        return S3Store(
            bucket,
            endpoint=known.endpoint,
            region=known.region,
            virtual_hosted_style_request=False,  # the bucket is a part of the path, and chooses no host
            checksum_algorithm="SHA256",  # S3 compares it with the bytes that arrive, and keeps it
            skip_signature=False,
            credential_provider=known.fetch,  # type: ignore[arg-type]
            client_options=self._client_options(known.endpoint, limit_s),
            retry_config=_RETRIES,  # type: ignore[arg-type]
        )

    def _gs(self, bucket: str, limit_s: int) -> ObjectStore:
        from obstore.store import GCSStore

        options = self._client_options(self._endpoint("gs"), limit_s)
        return GCSStore(bucket, client_options=options, retry_config=_RETRIES)  # type: ignore[arg-type]

    def _az(self, bucket: str, limit_s: int) -> ObjectStore:
        from obstore.store import AzureStore

        options = self._client_options(self._endpoint("az"), limit_s)
        return AzureStore(bucket, client_options=options, retry_config=_RETRIES)  # type: ignore[arg-type]

    def _endpoint(self, scheme: str) -> str:
        endpoint = endpoint_of(scheme, self._variables)
        require_safe(endpoint)
        return endpoint

    def _client_options(self, endpoint: str, limit_s: int) -> Any:
        options: dict[str, Any] = {
            "timeout": timedelta(seconds=limit_s),
            "connect_timeout": timedelta(seconds=10),
            "allow_http": is_loopback_url(endpoint),  # said in any case: a variable could allow it too
        }
        if is_loopback_url(endpoint):
            # With a proxy of its own, the client reads no proxy variables; and for this host it asks none.
            options |= {"proxy_url": _NOWHERE, "proxy_excludes": urlsplit(endpoint).hostname}
        if self._ca_file is not None:
            options["root_certificate"] = self._ca_file.read_bytes()
        return options
