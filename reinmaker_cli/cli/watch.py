"""`--watch`: look again whenever something below the folders changes, and say what is different, until ^C."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from reinmaker_cli.assets.collector import let_go
from reinmaker_cli.cli.findings import summary_of
from reinmaker_cli.cli.roots import find_folders
from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.text import Line, Styled, counted, human_size
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.findings import Finding
from reinmaker_cli.errors import ReinmakerError, UsageError

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

    from reinmaker_cli.assets.scan import Asset, Scan

# An export writes for seconds: changes count as one until nothing moves for a while, and are not waited for longer.
SETTLED_MS = 150
WAIT_AT_MOST_MS = 2_000
# A folder that is removed and comes back, as by `git checkout`, sends no event to who watched the old one.
LOOK_FOR_FOLDERS_EVERY_MS = 1_000


_Places = dict[Path, tuple[int, int] | None]
"""What tells whether each folder is still the same one; None where there is none."""


class Look(NamedTuple):
    """What one look at the folders gave."""

    scans: Sequence[Scan]
    findings: Sequence[Finding]
    """Of the scans, and of what is made of them."""
    use: Callable[[], None]
    """What is done with it, at the first look and whenever something is different."""


def require_no_document(run: Run) -> None:
    """Refuse --json: the one document comes at the end, and there is none."""
    if run.settings.json:
        raise UsageError(
            "--watch has no end to write the document of --json at",
            code=codes.USAGE,
            hint="`--events -` writes a line of JSON for each change",
        )


def watch_folders(run: Run, paths: Sequence[Path], look: Callable[[], Look]) -> NoReturn:
    """Look now, and again after each change below the folders. Ends with KeyboardInterrupt only.

    What stops a look, a half-saved reinmaker.toml for one, is said, and the next change is waited for.
    """
    # The folders named too: in a catalogue, one more lesson may come.
    roots = sorted({path.resolve() for path in (*paths, *(folder.root for folder in find_folders(run, paths)))})
    watched = _Watched(run, look)
    look_now: Callable[[], object] = watched.look_first
    while True:
        places = _places(roots)
        with _watcher([root for root in roots if places[root] is not None]) as watcher:
            look_now()  # after the watch began: what changes meanwhile is seen
            _follow(run, watcher, watched, places)
        look_now = watched.look_again


def _follow(run: Run, watcher: RustNotify, watched: _Watched, places: _Places) -> None:
    """Look after each change, until one of the folders is another: events tell of the old one only."""
    while True:
        if not run.output.flush():
            raise KeyboardInterrupt  # nobody reads any more
        run.output.note("watching; ^C ends it")
        while True:
            seen = watcher.watch(WAIT_AT_MOST_MS, SETTLED_MS, LOOK_FOR_FOLDERS_EVERY_MS, None)
            if seen == "signal":
                raise KeyboardInterrupt
            if _places(tuple(places)) != places:
                return
            if seen != "timeout" and watched.look_again():
                break


def _places(roots: Sequence[Path]) -> _Places:
    places: _Places = {}
    for root in roots:
        try:
            status = root.stat()
        except OSError:
            places[root] = None
        else:
            places[root] = status.st_dev, status.st_ino
    return places


class _Watched:
    """What was seen last, and whether the last look failed."""

    def __init__(self, run: Run, look: Callable[[], Look]) -> None:
        self._run = run
        self._look = look
        self._seen: Look | None = None
        self._has_failed = False

    def look_first(self) -> None:
        """Look, and use what is there."""
        try:
            self._seen = self._look()
            self._run.output.findings(self._seen.findings)
            self._seen.use()
        except ReinmakerError as error:
            self._fail(error)
        finally:
            let_go()

    def look_again(self) -> bool:
        """Look, and say what is different; return whether anything was said."""
        try:
            return self._compare(self._look())
        except ReinmakerError as error:
            self._fail(error)
            return True
        finally:
            let_go()  # a single look keeps all that it makes to the end of the process; the next one replaces it here

    def _compare(self, now: Look) -> bool:
        before, self._seen = self._seen, now
        old, known = (_assets(before.scans), before.findings) if before is not None else ({}, ())
        is_same = _say_changes(self._run, old, _assets(now.scans)) and frozenset(known) == frozenset(now.findings)
        self._run.output.flush()
        if is_same and not self._has_failed:
            return False
        _say_findings(self._run, known, now.findings)
        self._has_failed = False
        now.use()
        return True

    def _fail(self, error: ReinmakerError) -> None:
        self._has_failed = True
        self._run.output.error_of("look", error)


@contextmanager
def _watcher(roots: Sequence[Path]) -> Iterator[RustNotify]:
    from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

    try:
        watcher = RustNotify([str(root) for root in roots], False, False, 300, True, True)
    except FileNotFoundError:  # gone this instant: `_follow` sees it
        watcher = RustNotify([], False, False, 300, True, True)
    except (OSError, WatchfilesRustInternalError) as error:
        raise UsageError(
            f"cannot watch the folder: {error}",
            code=codes.UNREADABLE,
            hint="the system may limit how many folders are watched (`fs.inotify.max_user_watches` on Linux)",
        ) from error
    with watcher:
        yield watcher


def _assets(scans: Sequence[Scan]) -> dict[tuple[Path, str], Asset]:
    return {(scan.root, asset.path): asset for scan in scans for asset in scan.assets}


def _say_changes(run: Run, before: dict[tuple[Path, str], Asset], now: dict[tuple[Path, str], Asset]) -> bool:
    """Show which assets came, went and changed; return whether none did."""
    removed = sorted(before.keys() - now.keys())
    added = sorted(now.keys() - before.keys())
    changed = sorted(key for key in before.keys() & now.keys() if before[key] != now[key])
    several = len({root for root, _ in (*before, *now)}) > 1

    def name(key: tuple[Path, str]) -> str:
        return f"{key[0].as_posix()}/{key[1]}" if several else key[1]

    lines: list[Line] = [Styled("red", f"- {name(key)}") for key in removed]
    lines += [Styled("green", f"+ {name(key)}  {human_size(now[key].bytes)}  {now[key].sha256[:8]}") for key in added]
    lines += [_change(name(key), before[key], now[key]) for key in changed]
    run.output.data(*lines)
    run.output.ids(now[key].id for key in (*added, *changed))
    if lines:
        run.output.event(
            "scan.changed",
            added=[name(key) for key in added],
            changed=[name(key) for key in changed],
            removed=[name(key) for key in removed],
        )
    return not lines


def _change(name: str, before: Asset, now: Asset) -> Line:
    if before.sha256 == now.sha256:
        return Styled("yellow", f"~ {name}  the same bytes, described otherwise")
    sizes = f"{human_size(before.bytes)} → {human_size(now.bytes)}"
    return Styled("yellow", f"~ {name}  {sizes}  {before.sha256[:8]} → {now.sha256[:8]}")


def _say_findings(run: Run, before: Sequence[Finding], now: Sequence[Finding]) -> None:
    run.output.findings([finding for finding in now if finding not in before])
    gone = len(frozenset(before) - frozenset(now))
    if gone:
        run.output.note(f"{counted(gone, 'finding')} gone; {summary_of(now)}")
