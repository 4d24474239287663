"""How a store is reached: whether library and credentials are there, and over which endpoint.

Nothing of this is ours: each store's own chain gives the credentials, and they are in no file, flag or message here.
S3 is asked for as the `aws` command would be (botocore: variables, profile, single sign-on, role of the machine).
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from reinmaker_cli.contract import codes
from reinmaker_cli.contract.loopback import is_loopback_url
from reinmaker_cli.errors import AccessDenied, UsageError

_INSTALL: Final = "install it with `pip install 'reinmaker[s3]'`"

# What object_store reads, besides the role that the machine itself may have.
_GOOGLE: Final = (
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_SERVICE_ACCOUNT",
    "GOOGLE_SERVICE_ACCOUNT_PATH",
    "GOOGLE_SERVICE_ACCOUNT_KEY",
    "GOOGLE_BEARER_TOKEN",
)
_AZURE: Final = (
    *("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY", "AZURE_STORAGE_MASTER_KEY"),
    *("AZURE_STORAGE_SAS_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_TOKEN"),
    *("AZURE_CLIENT_SECRET", "AZURE_STORAGE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE"),
    *("AZURE_USE_AZURE_CLI", "AZURE_MSI_ENDPOINT", "AZURE_IDENTITY_ENDPOINT", "AZURE_STORAGE_USE_EMULATOR"),
)
_ACCOUNTS: Final = {"gs": "GOOGLE_APPLICATION_CREDENTIALS", "az": "AZURE_STORAGE_ACCOUNT_NAME and a key or token"}
_ENDPOINTS: Final = {"gs": ("GOOGLE_BASE_URL",), "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")}
_EMULATOR: Final = "http://127.0.0.1:10000"


@dataclass(frozen=True, slots=True)
class Aws:
    """S3 as this machine is set up for it."""

    endpoint: str
    region: str
    method: str
    """Where the credentials come from, as botocore calls it; empty where there are none."""
    fetch: Callable[[], Mapping[str, Any]] | None
    """Gives credentials that are fresh now."""


@functools.cache
def aws() -> Aws:
    """Return how S3 is reached; asked once a process. UsageError where the set-up contradicts itself."""
    import botocore.session
    from botocore.exceptions import BotoCoreError

    try:
        session = botocore.session.get_session()
        credentials = session.get_credentials()
        client = session.create_client("s3")
    except BotoCoreError as error:
        raise UsageError(
            f"AWS is not set up as its variables and files say ({type(error).__name__})",
            code=codes.BUCKET_UNUSABLE,
            hint="try `aws sts get-caller-identity`; is AWS_PROFILE the name of a profile?",
        ) from error
    endpoint, region = client.meta.endpoint_url, client.meta.region_name
    client.close()
    if credentials is None:
        return Aws(endpoint, region, "", None)

    def fetch() -> Mapping[str, Any]:
        fresh = credentials.get_frozen_credentials()
        known = {"access_key_id": fresh.access_key, "secret_access_key": fresh.secret_key, "token": fresh.token}
        return {**known, "expires_at": None} if credentials.method == "env" else {**known, "expires_at": _soon()}

    return Aws(endpoint, region, credentials.method, fetch)


def _soon() -> Any:
    """Return when to ask botocore again, which knows by itself how long credentials are good."""
    from datetime import UTC, datetime, timedelta

    return datetime.now(UTC) + timedelta(minutes=5)


def obstacle(scheme: str, variables: Mapping[str, str]) -> str:
    """Return why no object of the scheme can be asked for from here; empty where nothing is known to be in the way.

    Fast, and asks no store. For `gs` and `az` a role that only the machine's metadata service knows is not seen.
    """
    if missing := _missing_library():
        return f"{missing} is not installed: {_INSTALL}"
    if scheme == "s3":
        try:
            return "" if aws().method else "no AWS credentials were found"
        except UsageError as error:
            return error.message
    if has_visible_credentials(scheme, variables):
        return ""
    return f"no credentials were found; such as {_ACCOUNTS[scheme]}"


def has_visible_credentials(scheme: str, variables: Mapping[str, str]) -> bool:
    """Return whether variables or files hold credentials for `gs` or `az`."""
    if scheme == "gs":
        known = Path.home() / ".config" / "gcloud" / "application_default_credentials.json"
        return any(variables.get(name) for name in _GOOGLE) or known.is_file()
    return any(variables.get(name) for name in _AZURE)


def require_library() -> None:
    """Raise UsageError where the extra is not installed."""
    if missing := _missing_library():
        raise UsageError(f"{missing} is not installed", code=codes.BUCKET_UNUSABLE, hint=_INSTALL)


@functools.cache  # a server asks for each manifest
def _missing_library() -> str:
    """Return what of the extra is not installed, or nothing; looked for once a process."""
    return next((name for name in ("obstore", "botocore") if importlib.util.find_spec(name) is None), "")


def no_credentials(scheme: str) -> AccessDenied:
    """Return the error for a store whose chain gave nothing."""
    wanted = {"s3": "give them as for the aws command: variables, AWS_PROFILE, or a role of this machine"}
    hint = wanted.get(scheme) or f"give them by variables: {_ACCOUNTS[scheme]}"
    return AccessDenied(f"no credentials for {scheme}:// were found", code=codes.BUCKET_CREDENTIALS, hint=hint)


def endpoint_of(scheme: str, variables: Mapping[str, str]) -> str:
    """Return the endpoint that variables name for `gs` or `az`; empty for the store's own."""
    named = next((variables[name] for name in _ENDPOINTS[scheme] if variables.get(name)), "")
    if not named and scheme == "az" and variables.get("AZURE_STORAGE_USE_EMULATOR", "").lower() in ("1", "true"):
        return variables.get("AZURITE_BLOB_STORAGE_URL") or _EMULATOR
    return named


def require_safe(endpoint: str) -> None:
    """Raise UsageError for plain http beyond this machine: requests are signed, and what they carry is not hidden."""
    if endpoint.startswith("http:") and not is_loopback_url(endpoint):
        raise UsageError(
            f"plain http to a store beyond this machine: `{_origin(endpoint)}`",
            code=codes.BUCKET_UNUSABLE,
            hint="name an https endpoint in AWS_ENDPOINT_URL, GOOGLE_BASE_URL or AZURE_STORAGE_ENDPOINT",
        )


def _origin(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{parts.hostname or ''}"
