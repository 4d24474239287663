"""Which files are passed over: junk, dotfiles, and what the patterns of the project say, in gitignore syntax."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reinmaker_cli.contract import codes
from reinmaker_cli.errors import ConfigError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE_FILE = ".reinmakerignore"

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


@dataclass(frozen=True, slots=True)
class IgnorePatterns:
    """The patterns in force in one folder: the project's, and those of each ignore file on the way down."""

    layers: tuple[tuple[str, GitIgnoreSpec], ...] = ()
    """Path of the folder that a layer counts from, with `/` at the end, and its patterns; the deepest comes last."""

    def with_layer(self, prefix: str, lines: Iterable[str], *, origin: str) -> IgnorePatterns:
        """Return these patterns and, stronger than them, `lines`; ConfigError names `origin` and the bad line."""
        wanted = list(lines)
        if not any(line.strip() and not line.startswith("#") for line in wanted):
            return self
        return IgnorePatterns((*self.layers, (prefix, _compiled(wanted, origin))))

    def pattern_for(self, path: str) -> str | None:
        """Return the pattern by which a path is ignored, or None; a folder's path ends in `/`.

        As in git, the last pattern of the deepest file decides, and `!pattern` takes back.
        """
        for prefix, spec in reversed(self.layers):
            verdict = spec.check_file(path[len(prefix) :])
            if verdict.include is not None:
                return _text(spec, verdict.index) if verdict.include else None
        return None


def _compiled(lines: list[str], origin: str) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec

    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError as error:
        raise ConfigError(
            f"a pattern of {origin} cannot be read: `{_first_bad(lines)}`",
            code=codes.CONFIG_INVALID,
            hint="patterns have the syntax of .gitignore",
        ) from error


def _first_bad(lines: list[str]) -> str:
    from pathspec import GitIgnoreSpec

    for line in lines:
        try:
            GitIgnoreSpec.from_lines([line])
        except ValueError:
            return line
    return lines[0]


def _text(spec: GitIgnoreSpec, index: int | None) -> str:
    pattern = getattr(spec.patterns[index], "pattern", None) if index is not None else None
    return pattern if isinstance(pattern, str) else ""
