"""The cyclic collector, while very many objects without cycles are made."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


def let_go() -> None:
    """Take back `are_kept` for all that was made so far: what nobody holds any more is given up, cycles too."""
    gc.unfreeze()
    gc.collect()


@contextmanager
def collector_paused(*, are_kept: bool = False) -> Iterator[None]:
    """Keep the cyclic collector from going through a growing heap again and again: a fifth of a `build`.

    `are_kept`: the objects are needed to the end of the process, so it need not go through them afterwards either.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if are_kept:
            gc.freeze()
        if was_enabled:
            gc.enable()
