"""Publish lesson assets to Reinmaker, and rehearse it on one machine.

The command line is `reinmaker`; `docs/architecture.md` draws the rooms of this package.
"""

__version__ = "0.1.0"
