"""What `doctor` says of uploads: can the store that the folder's URLs name be used from here? Asks no store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from reinmaker_cli.assets.project import find_project_root, load_project
from reinmaker_cli.buckets.access import aws, endpoint_of, obstacle, require_safe
from reinmaker_cli.client.checks import Checked, Passed, warned_by
from reinmaker_cli.contract.object_urls import OBJECT_SCHEMES
from reinmaker_cli.errors import ReinmakerError

CHECK = "uploads"


def check_uploads(environment: str, variables: Mapping[str, str]) -> Iterator[Checked]:
    """Yield whether `push` can use the store of the nearest project; that it cannot stops no publication."""
    try:
        root = find_project_root(Path())
        project = None if root is None else load_project(root)
    except ReinmakerError:  # said of the project
        return
    if project is None:
        return
    scheme = project.url_for.get(environment, project.url).partition("://")[0].lower()
    if scheme not in OBJECT_SCHEMES:
        yield Passed(CHECK, f"`{scheme}` URLs: something else than `push` puts assets there")
        return
    try:
        reason = obstacle(scheme, variables)
        if not reason:
            require_safe(aws().endpoint if scheme == "s3" else endpoint_of(scheme, variables))
    except ReinmakerError as error:
        yield warned_by(CHECK, error)
        return
    if reason:
        yield Passed(CHECK, f"by other tools than `push`, which lacks what {scheme}:// wants: {reason}")
    else:
        method = f" ({aws().method})" if scheme == "s3" else ""
        yield Passed(CHECK, f"credentials for {scheme}:// are there{method}; whether they are good, the store knows")
