"""`--only FIELD=VALUE`: which of a folder's manifests are meant. It selects manifests, never assets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Protocol, TypeVar

from reinmaker_cli.contract import codes
from reinmaker_cli.errors import UsageError


class Selectable(Protocol):
    """A draft or a manifest."""

    @property
    def manifest_id(self) -> str:
        """Return its id."""

    @property
    def source(self) -> Mapping[str, Any]:
        """Return the member `source`."""


Chosen = TypeVar("Chosen", bound=Selectable)


def select(manifests: Sequence[Chosen], only: Mapping[str, str]) -> tuple[Chosen, ...]:
    """Return the manifests whose fields have the given values; all of them where `only` is empty.

    A field is `manifestId` or one of [source]. UsageError where there is no such field, or nothing is left.
    """
    fields = dict.fromkeys(name for manifest in manifests for name in _fields(manifest))
    for name in only:
        if name not in fields and manifests:
            near = get_close_matches(name, fields, n=1)
            raise UsageError(
                f"no manifest has the field `{name}`",
                code=codes.USAGE,
                hint=f"did you mean `{near[0]}`?" if near else f"fields: {', '.join(fields)}",
            )
    chosen = tuple(
        manifest for manifest in manifests if all(_fields(manifest).get(name) == value for name, value in only.items())
    )
    if not chosen and only:
        wanted = " ".join(f"{name}={value}" for name, value in only.items())
        raise UsageError(
            f"no manifest has {wanted}", code=codes.NOTHING_SELECTED, hint="; ".join(_values(manifests, only))
        )
    return chosen


def _fields(manifest: Selectable) -> dict[str, Any]:
    return {"manifestId": manifest.manifest_id, **manifest.source}


def _values(manifests: Sequence[Selectable], only: Mapping[str, str]) -> list[str]:
    """Return what the asked fields do hold, each as one sentence."""
    sentences = []
    for name in only:
        held = sorted({str(_fields(manifest).get(name)) for manifest in manifests})
        shown = ", ".join(held[:12]) + (", …" if len(held) > 12 else "")
        sentences.append(f"{name} is one of: {shown}")
    return sentences
