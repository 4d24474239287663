"""Which files are passed over: junk, dotfiles, and what the patterns of the project say, in gitignore syntax."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from reinmaker_cli.contract import codes
from reinmaker_cli.errors import ConfigError

IGNORE_FILE = ".reinmakerignore"

_FOLDER_MARK = "ps_d"  # the group of pathspec's expressions that test_walk.py compares with git itself

# What systems and programs leave behind by themselves; nobody ever means to publish it.
_JUNK = frozenset(["Thumbs.db", "thumbs.db", "ehthumbs.db", "Desktop.ini", "desktop.ini", "Icon\r", "__MACOSX"])


def may_hold_junk(framed: str) -> bool:
    """Return whether any name in `/name/name/…/` could be junk: the quick test for a whole folder."""
    return "/." in framed or "~" in framed or any(f"/{name}/" in framed for name in _JUNK)


def junk_reason(name: str) -> str | None:
    """Return why a name is passed over whatever the patterns say, or None."""
    if name[0] == ".":
        return "ignore file of reinmaker" if name == IGNORE_FILE else "dotfile"
    if name in _JUNK:
        return "left by the operating system"
    if name[-1] == "~" or name.startswith("~$"):
        return "left by an editor"
    return None


class _Pattern(NamedTuple):
    """One line, compiled."""

    line: str
    ignores: bool
    """False for `!pattern`."""
    regex: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class IgnorePatterns:
    """The patterns in force in one folder: the project's, and those of each ignore file on the way down."""

    layers: tuple[tuple[str, tuple[_Pattern, ...]], ...] = ()
    """Path of the folder that a layer counts from, with `/` at the end, and its patterns, the strongest first."""

    def with_layer(self, prefix: str, lines: Iterable[str], *, origin: str) -> IgnorePatterns:
        """Return these patterns and, stronger than them, `lines`; ConfigError names `origin` and the bad line."""
        patterns = _compiled(lines, origin)
        return IgnorePatterns(((prefix, patterns), *self.layers)) if patterns else self

    def pattern_for(self, path: str) -> str | None:
        """Return the pattern by which a path is ignored, or None; a folder's path ends in `/`.

        As in git: the last pattern of the deepest file decides, `!pattern` takes back, and what lies in an ignored
        folder is never asked for. So a pattern counts only where it means the path itself and not a folder above.
        """
        for prefix, patterns in self.layers:
            relative = path[len(prefix) :]
            for pattern in patterns:
                match = pattern.regex.search(relative)
                if match is not None and not _means_folder_above(match):
                    return pattern.line if pattern.ignores else None
        return None


def _means_folder_above(match: re.Match[str]) -> bool:
    # pathspec marks the `/` behind a folder that a pattern names; behind the path itself it is the last letter.
    return _FOLDER_MARK in match.re.groupindex and 0 <= match.start(_FOLDER_MARK) < len(match.string) - 1


def _compiled(lines: Iterable[str], origin: str) -> tuple[_Pattern, ...]:
    wanted = [line for line in lines if line.strip() and not line.startswith("#")]
    if not wanted:
        return ()
    from pathspec import GitIgnoreSpec

    compiled = []
    for line in wanted:
        try:
            (pattern,) = GitIgnoreSpec.from_lines([line]).patterns
        except (ValueError, re.error) as error:  # `[z-a]` passes pathspec, and `re` stumbles over it
            raise ConfigError(
                f"a pattern of {origin} cannot be read: `{line}`",
                code=codes.CONFIG_INVALID,
                hint="patterns have the syntax of .gitignore",
            ) from error
        if pattern.include is not None and pattern.regex is not None:
            compiled.append(_Pattern(line, pattern.include, pattern.regex))
    return tuple(reversed(compiled))
