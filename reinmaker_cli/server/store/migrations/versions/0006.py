"""Let the keys of URLs that lie together lie together: a version is written into a few pages, and not one an asset."""

from __future__ import annotations

import gzip
import hashlib
import json

import sqlalchemy as sa
from alembic import op

from reinmaker_cli.contract.rules import normalized_url

revision = "0006"
down_revision = "0005"

_PUBLISHED_BY = sa.text("SELECT DISTINCT submission_no FROM published_assets")
_BODY = sa.text("SELECT gzipped FROM manifest_bodies WHERE submission_no = :no")
_KEEP = sa.text("INSERT INTO new_keys (before, since) VALUES (:before, :since) ON CONFLICT DO NOTHING")
_CHANGE = sa.text(
    "UPDATE published_assets SET url_key = (SELECT since FROM new_keys WHERE before = url_key)"
    " WHERE url_key IN (SELECT before FROM new_keys)"
)


def upgrade() -> None:
    """Make the database of the version before one of this version: the URLs stand in the manifests."""
    connection = op.get_bind()
    op.execute("CREATE TEMPORARY TABLE new_keys (before VARCHAR(32) PRIMARY KEY, since VARCHAR(32) NOT NULL)")
    for no in connection.execute(_PUBLISHED_BY).scalars().all():
        document = json.loads(gzip.decompress(connection.execute(_BODY, {"no": no}).scalar_one()))
        connection.execute(_KEEP, [_keys(asset["url"]) for asset in document["assets"]])
    op.execute(_CHANGE)
    op.execute("DROP TABLE new_keys")


def _keys(url: str) -> dict[str, str]:
    normalized = normalized_url(url)
    digest, above = _sha256(normalized), _sha256(normalized.rsplit("/", 2)[0])
    return {"before": digest[:32], "since": above[:8] + digest[:24]}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
