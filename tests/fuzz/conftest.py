"""Hypothesis as these tests use it: the same examples in every run, and many more, new ones, in a soak."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

SOAK = bool(os.environ.get("REINMAKER_SOAK"))

settings.register_profile(
    "fuzz",
    deadline=None,  # how long an example takes is the machine's business
    database=None,
    derandomize=not SOAK,
    max_examples=500 if SOAK else 30,
    stateful_step_count=50 if SOAK else 25,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
fuzzing = settings.get_profile("fuzz")
