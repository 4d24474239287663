"""What the tests of this room make their input of."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

from tests.server.live import manifest

_numbers = st.one_of(st.integers(-(2**70), 2**70), st.floats(), st.sampled_from([0, -0.0, 2**53, 1e400]))
_texts = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["", "\ud800", "<script>", "2026.13.45", "../..", "s3://b/%2e%2e/x", "f" * 64]),
)
any_json = st.recursive(
    st.one_of(st.none(), st.booleans(), _numbers, _texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_texts, inner, max_size=4)),
    max_leaves=12,
)


@st.composite
def _broken(draw: st.DrawFn) -> Any:
    """Draw a valid manifest with up to three places that hold something else."""
    document = copy.deepcopy(
        manifest(draw(st.sampled_from(["a", "b", "c"])), draw(st.sampled_from(["2026.11.23", "2026.11.24-2"])))
    )
    document["assets"] = document["assets"] * draw(st.integers(0, 2))
    for _ in range(draw(st.integers(0, 3))):
        holder: Any = document
        while isinstance(holder, (dict, list)) and holder:
            key = draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else list(range(len(holder)))))
            if draw(st.booleans()) or not isinstance(holder[key], (dict, list)):
                holder[key] = draw(any_json)
                break
            holder = holder[key]
    return document


broken_manifests = _broken()


@st.composite
def mutated(draw: st.DrawFn, text: str, snippets: list[str]) -> str:
    """Draw the text with a few cuts and insertions."""
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(text)))
        cut = draw(st.integers(0, 12))
        text = text[:place] + draw(st.one_of(st.sampled_from(snippets), st.text(max_size=3))) + text[place + cut :]
    return text
