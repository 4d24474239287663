"""The only place that prints. stdout is data, stderr is talk.

Four modes: human; `--json` (one document at the end); `--events -` (lines of JSON that end in that document);
`--quiet` (ids only). On GitHub Actions findings are annotations too. What a person sees is drawn by rich on a terminal
(`terminal.py`) and plain everywhere else (`plain.py`); both make visible what a terminal would obey.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reinmaker_cli.cli.channel import Channel
from reinmaker_cli.cli.document import exit_code_of, final_document, json_text, without_secrets
from reinmaker_cli.cli.findings import finding_lines
from reinmaker_cli.cli.plain import NoProgress, PlainProgress, PlainWriter
from reinmaker_cli.cli.streams import Stream
from reinmaker_cli.cli.text import Cell, Item, Line, Styled, visible
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import ReinmakerError, UsageError

if TYPE_CHECKING:
    from reinmaker_cli.cli.terminal import LiveProgress, TerminalWriter
    from reinmaker_cli.contract.findings import Finding
    from reinmaker_cli.settings import Settings

    Progress = PlainProgress | LiveProgress | NoProgress


class Output:
    """What one command says: collects the document of `--json` and talks to people meanwhile."""

    def __init__(self, name: str, *, json: bool, quiet: bool, colour: str, variables: Mapping[str, str]) -> None:
        self.name = name
        self.json = json
        self.quiet = quiet
        self.verbose_on = False
        self._variables = variables
        self._is_on_github = variables.get("GITHUB_ACTIONS") == "true"
        self._stdout = Stream(sys.stdout)
        self._stderr = Stream(sys.stderr)
        self._events: Stream | None = None
        self._stdout_owner = ""
        self._members: dict[str, Any] = {}
        self._findings: list[Finding] = []
        self._folder: Path | None = None
        self._is_help = False
        self._is_document_written = False
        self._has_ended = False
        self._set_colour(colour)

    @classmethod
    def for_command(cls, name: str, arguments: Sequence[str], variables: Mapping[str, str]) -> Output:
        """Return an output in the mode that the raw words ask for: a usage error must already keep to it."""
        words = arguments[: arguments.index("--")] if "--" in arguments else arguments
        json = "--json" in words or variables.get("REINMAKER_JSON", "").lower() in ("1", "true", "yes", "on")
        return cls(name, json=json, quiet="--quiet" in words or "-q" in words, colour="auto", variables=variables)

    def configure(self, settings: Settings, *, final: bool = True) -> None:
        """Take the resolved settings; the final ones also open the file of `--events`."""
        self.json, self.quiet, self.verbose_on = settings.json, settings.quiet, settings.verbose
        self._set_colour(settings.color)
        if not final:
            return
        if self.json:
            self.claim_stdout("--json")
        if settings.events == "-":
            self.claim_stdout("--events -")
            self._events = self._stdout
        elif settings.events:
            self._events = _open_for_lines(Path(settings.events))

    def claim_stdout(self, flag: str) -> None:
        """Reserve stdout for one thing: two documents on one stream could not be told apart."""
        if self._stdout_owner:
            raise UsageError(
                f"stdout cannot hold both `{self._stdout_owner}` and `{flag}`",
                code=codes.USAGE,
                hint="give one of them a file",
            )
        self._stdout_owner = flag

    @property
    def wants_document(self) -> bool:
        """Whether the document is written at all: what is long is not put together for nobody."""
        return self.json or self._events is not None

    @property
    def wants_results(self) -> bool:
        """Whether somebody reads the document's `results`: GitHub Actions is told of them too."""
        return self.wants_document or self._is_on_github

    @property
    def shows_data(self) -> bool:
        """Whether lines and tables for people are shown on stdout."""
        return not self._stdout_owner and not self.quiet

    @property
    def columns(self) -> int | None:
        """How wide a picture on stdout may be; None where lines that any program can read are wanted."""
        return self._people_out.columns if self.shows_data else None

    # --- data -------------------------------------------------------------------------------------------------------

    def data(self, *lines: Line) -> None:
        """Write lines for people to stdout; silent where stdout has another owner, or only ids are wanted."""
        if self.shows_data:
            self._to_stdout().lines(*lines)

    def paragraph(self, text: str) -> None:
        """Write prose for people to stdout, in lines of a readable length."""
        if self.shows_data:
            self._to_stdout().paragraph(text)

    def table(
        self, rows: Sequence[Sequence[Cell]], *, head: Sequence[str] = (), right: frozenset[int] = frozenset()
    ) -> None:
        """Write a table for people to stdout; only a terminal shows its head. Columns in `right` hold numbers."""
        if self.shows_data and rows:
            self._to_stdout().table(rows, head=head, right=right)

    def ids(self, ids: Iterable[str]) -> None:
        """Write the ids that `--quiet` shows, one a line; nothing in the other modes."""
        if self.quiet and not self._stdout_owner:
            self._people_out.plain.texts(ids)

    def raw(self, document: bytes | str) -> None:
        """Write a document to stdout exactly: `-o -`. The caller has claimed stdout."""
        if self._stdout.is_terminal:
            self._people_err.clear()
        self._stdout.write(document)

    def help(self, text: str) -> None:
        """Write the help of a verb to stdout, in every mode; no document follows it."""
        self._stdout.write(text)
        self._is_help = True

    def add(self, **members: Any) -> None:
        """Set members of the document of `--json`; names as they appear there."""
        self._members |= members

    def manifest_ids(self) -> list[str]:
        """Return the ids of the manifests in the document."""
        rows = [*self._members.get("results", ()), *self._members.get("manifests", ())]
        return [row["manifestId"] for row in rows if isinstance(row, Mapping) and row.get("manifestId")]

    def event(self, kind: str, /, **fields: Any) -> None:
        """Write one line for `--events`."""
        if self._events is not None:
            self._events.write(json_text({"event": kind, "time": _now(), **fields}) + "\n", flush=True)

    def document_now(self) -> None:
        """Write the document of --json before the end, on one line: a server says that it is ready, and goes on."""
        if self.json:
            self._is_document_written = True
            self._stdout.write(
                json_text(final_document(self.name, self._members, self._findings, None)) + "\n", flush=True
            )

    def flush(self) -> bool:
        """Hand the data to its reader now, for a command that goes on; return whether somebody still reads."""
        self._stdout.flush()
        return self._stdout.is_read

    # --- talk -------------------------------------------------------------------------------------------------------

    def note(self, *lines: Line) -> None:
        """Say something to people; not with `--quiet`."""
        if not self.quiet:
            self._talk(*lines)

    def verbose(self, *lines: Line) -> None:
        """Say something only with `--verbose`."""
        if self.verbose_on:
            self._talk(*lines)

    @property
    def progress(self) -> Progress:
        """Where it is said how far a long step is; nowhere with `--quiet`, and after the end."""
        return NoProgress() if self.quiet or self._has_ended else self._people_err.progress

    @property
    def shown_findings(self) -> Sequence[Finding]:
        """The findings so far."""
        return self._findings

    def stop_progress(self) -> None:
        """Take the line of progress away: the step is over, or somebody is asked."""
        self._people_err.clear()

    def warn(self, message: str, hint: str = "") -> None:
        """Warn: something that does not stop the command."""
        self._talk((Styled("yellow", "warning"), f": {message}"), *_hint_lines(hint))

    def error_of(self, what: str, error: ReinmakerError) -> None:
        """Say what stopped one of several things; the command's own error follows at the end."""
        self._talk((f"{what}: ", Styled("red", f"error[{error.code}]"), f": {error.message}"), *_hint_lines(error.hint))

    def prompt(self, question: str) -> None:
        """Put a question on stderr and leave the cursor behind it."""
        self.stop_progress()
        self._stderr.write(visible(question), flush=True)

    def findings(self, findings: Iterable[Finding], folder: Path | None = None) -> None:
        """Show findings, grouped by file, and keep them for the document; `folder` is the asset root."""
        self._folder = folder or self._folder
        fresh = list(findings)
        if not fresh:
            return
        self._findings += fresh
        self._talk(*finding_lines(fresh))

    # --- the end ----------------------------------------------------------------------------------------------------

    def finish(self, error: BaseException | None) -> int:
        """Say how it ended, write the document, and return the exit code."""
        self.stop_progress()
        self._has_ended = True
        if isinstance(error, ReinmakerError):
            shown = {id(finding) for finding in self._findings}
            self.findings([finding for finding in error.findings if id(finding) not in shown])
            self._say_error(error)
        elif error is not None:
            error = self._say_bug(error)
        document = final_document(self.name, self._members, self._findings, error)
        self._annotate(document)
        if self.json and not self._is_help and not self._is_document_written:
            self._stdout.write(json_text(document, indent=2) + "\n")
            self._is_document_written = True  # a signal from here on ends the command, and writes no second one
        if self._events is not None:
            kept = document if self._events is self._stdout else without_secrets(document)
            self._events.write(json_text(kept) + "\n", flush=True)
        return self._close(exit_code_of(error))

    def _say_error(self, error: ReinmakerError) -> None:
        is_said = error.hint in {finding.hint for finding in self._findings}
        label = Styled("red", f"error[{error.code}]")
        self._talk((label, f": {error.message}"), *_hint_lines("" if is_said else error.hint))

    def _say_bug(self, bug: BaseException) -> ReinmakerError:
        import traceback

        self._talk(*"".join(traceback.format_exception(bug)).splitlines())
        error = ReinmakerError(f"{type(bug).__name__}: {bug}", code=codes.BUG, hint=codes.BUG.cure)
        self._say_error(error)
        return error

    def _annotate(self, document: Mapping[str, Any]) -> None:
        if not self._is_on_github:
            return
        import secrets

        from reinmaker_cli.cli import github

        folder = github.from_workspace(self._folder, self._variables) if self._folder else ""
        lines = github.annotation_lines(self._findings, folder, document["error"])
        self._stderr.write("".join(f"{line}\n" for line in lines))
        for variable, text in (
            ("GITHUB_STEP_SUMMARY", github.step_summary(document)),
            ("GITHUB_OUTPUT", github.step_outputs(document, f"reinmaker-{secrets.token_hex(16)}")),
        ):
            if self._variables.get(variable):
                try:
                    with Path(self._variables[variable]).open("a", encoding="utf-8") as file:
                        file.write(text)
                except OSError as error:  # the runner's file; the command itself has succeeded or failed already
                    self.warn(f"cannot write ${variable}: {error.strerror}")

    def _close(self, exit_code: int) -> int:
        self._stdout.flush()
        if self._stdout.fault is not None:
            exit_code = exit_code or self._say_unwritten("stdout", self._stdout.fault)
        if self._events is not None and self._events is not self._stdout:
            self._events.close()
            if self._events.fault is not None:
                exit_code = exit_code or self._say_unwritten("the file of --events", self._events.fault)
        self._stderr.flush()
        return exit_code

    def _say_unwritten(self, where: str, error: OSError) -> int:
        failure = output_failed(where, error)
        self._say_error(failure)
        return failure.exit_code

    # --- below the surface ------------------------------------------------------------------------------------------

    def _to_stdout(self) -> PlainWriter | TerminalWriter:
        if self._stdout.is_terminal:  # a live line on stderr and this would be drawn over each other
            self._people_err.clear()
        return self._people_out.writer

    def _talk(self, *lines: Line | Item) -> None:
        self._people_err.writer.lines(*lines)

    def _set_colour(self, choice: str) -> None:
        self._people_out = Channel(self._stdout, colour=choice, flush=False, variables=self._variables)
        self._people_err = Channel(self._stderr, colour=choice, flush=True, variables=self._variables)


def _hint_lines(hint: str) -> tuple[Line, ...]:
    return ((Styled("cyan", "hint"), f": {hint}"),) if hint else ()


def output_failed(where: str, error: OSError, path: Path | None = None) -> UsageError:
    """Return the error for a result that could not be written, to `path` where it is a file."""
    import errno
    import shlex

    hint, folder = "choose another place, or free some space", shlex.quote(str(path.parent)) if path else "."
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        hint = f"choose another place, or free some space: `df -h {folder}` shows how much there is"
    elif error.errno == errno.ENOENT and path is not None:
        hint = f"its folder is not there: `mkdir -p {folder}`"
    elif path is not None:
        hint = f"choose another place; `ls -ld {folder}` says who may write there"
    return UsageError(f"cannot write {where}: {error.strerror or error}", code=codes.OUTPUT_FAILED, hint=hint)


def _open_for_lines(path: Path) -> Stream:
    try:
        return Stream(path.open("w", encoding="utf-8"))
    except OSError as error:
        raise output_failed(f"`{path}`", error, path) from error


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
