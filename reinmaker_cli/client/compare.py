"""What players have of each of several manifests: the documents that ours are compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from reinmaker_cli.client.api import Api, new_trace_id
from reinmaker_cli.client.patience import Patience
from reinmaker_cli.client.preflight import LIST_ABOVE, known_from_listing, list_manifests, read_known
from reinmaker_cli.manifest.assemble import Manifest


def active_documents(
    manifests: Sequence[Manifest], api: Api, new_patience: Callable[[], Patience]
) -> Iterator[tuple[str, Mapping[str, Any] | None]]:
    """Yield the id of each manifest with its active document, None where it has none.

    What the listing shows to have the same content costs no request.
    """
    trace_id, listing = new_trace_id(), None
    if len(manifests) > LIST_ABOVE:
        listing = list_manifests(api, patience=new_patience(), trace_id=trace_id)
    for manifest in manifests:
        name, patience = manifest.manifest_id, new_patience()
        if listing is None:
            known = read_known(api, name, patience=patience, trace_id=trace_id)
        else:
            known = known_from_listing(listing, name)
        if known.active is None:
            yield name, None
        elif known.active.content_digest == manifest.content_digest:
            yield name, {**manifest.document, "version": known.active.version}
        else:
            yield name, _document(api, name, known.active.version, patience, trace_id)


def _document(api: Api, manifest_id: str, version: str, patience: Patience, trace_id: str) -> Mapping[str, Any] | None:
    return patience.ask(
        lambda: api.manifest_document(manifest_id, version, trace_id=trace_id, limit_s=patience.left_s())
    )
