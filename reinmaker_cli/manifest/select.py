"""`--only FIELD=VALUE`: which of a folder's manifests are meant. It selects manifests, never assets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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


def select(
    manifests: Sequence[Chosen], only: Mapping[str, str], *, instead: Callable[[str, str], str] = "{1}".format
) -> tuple[Chosen, ...]:
    """Return the manifests whose fields have the given values; all of them where `only` is empty.

    A field is `manifestId` or one of [source]. UsageError where there is no such field, or nothing is left;
    `instead` gives the command line with one word put right.
    """
    fields = dict.fromkeys(name for manifest in manifests for name in _fields(manifest))
    for name in only:
        if name not in fields and manifests:
            near = get_close_matches(name, fields, n=1)
            raise UsageError(
                f"no manifest has the field `{name}`",
                code=codes.USAGE,
                hint=f"did you mean `{_corrected(instead, only, name, near[0], only[name])}`?"
                if near
                else f"fields: {', '.join(fields)}",
            )
    chosen = tuple(
        manifest for manifest in manifests if all(_fields(manifest).get(name) == value for name, value in only.items())
    )
    if not chosen and only:
        wanted = " ".join(f"{name}={value}" for name, value in only.items())
        raise UsageError(
            f"no manifest has {wanted}", code=codes.NOTHING_SELECTED, hint="; ".join(_values(manifests, only, instead))
        )
    return chosen


def _fields(manifest: Selectable) -> dict[str, Any]:
    return {"manifestId": manifest.manifest_id, **manifest.source}


def _corrected(instead: Callable[[str, str], str], only: Mapping[str, str], wrong: str, name: str, value: str) -> str:
    return instead(f"{wrong}={only[wrong]}", f"{name}={value}")


def _values(manifests: Sequence[Selectable], only: Mapping[str, str], instead: Callable[[str, str], str]) -> list[str]:
    """Return what the asked fields do hold, each as one sentence; with the line that was meant where that is clear."""
    sentences = []
    for name in only:
        held = sorted({str(_fields(manifest).get(name)) for manifest in manifests})
        shown = ", ".join(held[:12]) + (", …" if len(held) > 12 else "")
        sentences.append(f"{name} is one of: {shown}")
        value = only[name]
        near = [one for one in held if one.startswith(value)] or get_close_matches(value, held, n=1)
        if value not in held and near:
            sentences.append(f"did you mean `{_corrected(instead, only, name, name, near[0])}`?")
    return sentences
