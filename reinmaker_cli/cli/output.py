"""The only place that prints. stdout is data, stderr is talk.

Four modes: human; `--json` (one document at the end); `--events -` (lines of JSON that end in that document);
`--quiet` (ids only). On GitHub Actions findings are annotations too. Nothing from a file name reaches a terminal raw.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reinmaker_cli.cli.progress import Progress
from reinmaker_cli.cli.streams import Stream
from reinmaker_cli.cli.text import Paint, visible, visible_line, wants_colour
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import ReinmakerError, UsageError

if TYPE_CHECKING:
    from reinmaker_cli.contract.findings import Finding
    from reinmaker_cli.settings import Settings


class Output:
    """What one command says: collects the document of `--json` and talks to people meanwhile."""

    def __init__(self, name: str, *, json: bool, quiet: bool, colour: str, variables: Mapping[str, str]) -> None:
        self.name = name
        self.json = json
        self.quiet = quiet
        self.verbose_on = False
        self._variables = variables
        self._stdout = Stream(sys.stdout)
        self._stderr = Stream(sys.stderr)
        self._events: Stream | None = None
        self._stdout_owner = ""
        self._members: dict[str, Any] = {}
        self._findings: list[Finding] = []
        self._folder = ""
        self._is_help = False
        self._is_document_written = False
        self._colour(colour)
        self._start_progress()

    @classmethod
    def for_command(cls, name: str, arguments: Sequence[str], variables: Mapping[str, str]) -> Output:
        """Return an output in the mode that the raw words ask for: a usage error must already keep to it."""
        words = arguments[: arguments.index("--")] if "--" in arguments else arguments
        json = "--json" in words or variables.get("REINMAKER_JSON", "").lower() in ("1", "true", "yes", "on")
        return cls(name, json=json, quiet="--quiet" in words or "-q" in words, colour="auto", variables=variables)

    def configure(self, settings: Settings, *, final: bool = True) -> None:
        """Take the resolved settings; the final ones also open the file of `--events`."""
        self.json, self.quiet, self.verbose_on = settings.json, settings.quiet, settings.verbose
        self._colour(settings.color)
        self._start_progress()
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

    # --- data -------------------------------------------------------------------------------------------------------

    def data(self, *lines: str) -> None:
        """Write lines for people to stdout; silent where stdout has another owner, or only ids are wanted."""
        if not self._stdout_owner and not self.quiet:
            self._before_stdout()
            self._stdout.write("".join(f"{visible_line(line)}\n" for line in lines))

    def ids(self, ids: Iterable[str]) -> None:
        """Write the ids that `--quiet` shows, one a line; nothing in the other modes."""
        if self.quiet and not self._stdout_owner:
            self._stdout.write("".join(f"{visible(word)}\n" for word in ids))

    def raw(self, document: bytes | str) -> None:
        """Write a document to stdout exactly: `-o -`. The caller has claimed stdout."""
        self._before_stdout()
        self._stdout.write(document)

    def help(self, text: str) -> None:
        """Write the help of a verb to stdout, in every mode; no document follows it."""
        self._stdout.write(text)
        self._is_help = True

    def add(self, **members: Any) -> None:
        """Set members of the document of `--json`; names as they appear there."""
        self._members |= members

    def event(self, kind: str, **fields: Any) -> None:
        """Write one line for `--events`."""
        if self._events is not None:
            self._events.write(_json_text({"event": kind, "time": _now(), **fields}) + "\n", flush=True)

    def document_now(self) -> None:
        """Write the document of --json before the end, on one line: a server says that it is ready, and goes on."""
        from reinmaker_cli.cli.document import final_document

        if self.json:
            self._is_document_written = True
            self._stdout.write(
                _json_text(final_document(self.name, self._members, self._findings, None)) + "\n", flush=True
            )

    # --- talk -------------------------------------------------------------------------------------------------------

    def note(self, *lines: str) -> None:
        """Say something to people; not with `--quiet`."""
        if not self.quiet:
            self._talk(*lines)

    def verbose(self, *lines: str) -> None:
        """Say something only with `--verbose`."""
        if self.verbose_on:
            self._talk(*lines)

    def warn(self, message: str, hint: str = "") -> None:
        """Warn: something that does not stop the command."""
        self._talk(f"{self.paint('yellow', 'warning')}: {visible(message)}")
        if hint:
            self._talk(f"{self.paint('cyan', 'hint')}: {visible(hint)}")

    def prompt(self, question: str) -> None:
        """Put a question on stderr and leave the cursor behind it."""
        self.progress.clear()
        self._stderr.write(visible(question), flush=True)

    def findings(self, findings: Iterable[Finding], folder: Path | None = None) -> None:
        """Show findings, grouped by file, and keep them for the document; `folder` is the asset root."""
        from reinmaker_cli.cli.findings import finding_lines

        fresh = list(findings)
        if not fresh:
            return
        self._findings += fresh
        self._folder = _from_workspace(folder, self._variables) if folder else self._folder
        self._talk(*finding_lines(fresh, self.paint))

    # --- the end ----------------------------------------------------------------------------------------------------

    def finish(self, error: BaseException | None) -> int:
        """Say how it ended, write the document, and return the exit code."""
        from reinmaker_cli.cli.document import exit_code_of, final_document

        if isinstance(error, ReinmakerError):
            shown = {id(finding) for finding in self._findings}
            self.findings([finding for finding in error.findings if id(finding) not in shown])
            self._say_error(error)
        elif error is not None:
            error = self._say_bug(error)
        document = final_document(self.name, self._members, self._findings, error)
        self._annotate(document)
        if self.json and not self._is_help and not self._is_document_written:
            self._stdout.write(_json_text(document, indent=2) + "\n")
        if self._events is not None:
            self._events.write(_json_text(document) + "\n", flush=True)
        return self._close(exit_code_of(error))

    def _say_error(self, error: ReinmakerError) -> None:
        self._talk(f"{self.paint('red', f'error[{error.code}]')}: {visible(error.message)}")
        if error.hint and error.hint not in {finding.hint for finding in self._findings}:  # said already
            self._talk(f"{self.paint('cyan', 'hint')}: {visible(error.hint)}")

    def _say_bug(self, bug: BaseException) -> ReinmakerError:
        import traceback

        for line in "".join(traceback.format_exception(bug)).splitlines():
            self._talk(visible(line))
        error = ReinmakerError(f"{type(bug).__name__}: {bug}", code=codes.BUG, hint=codes.BUG.cure)
        self._say_error(error)
        return error

    def _annotate(self, document: Mapping[str, Any]) -> None:
        if self._variables.get("GITHUB_ACTIONS") != "true":
            return
        from reinmaker_cli.cli import github

        self._talk(*github.annotation_lines(self._findings, self._folder))
        for variable, text in (
            ("GITHUB_STEP_SUMMARY", github.step_summary(document)),
            ("GITHUB_OUTPUT", github.step_outputs(document)),
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

    def _colour(self, choice: str) -> None:
        self.paint = Paint(wants_colour(choice, self._stderr.is_terminal, self._variables))
        self.paint_data = Paint(wants_colour(choice, self._stdout.is_terminal, self._variables))

    def _start_progress(self) -> None:
        live = self._stderr.is_terminal and self._variables.get("TERM") != "dumb"
        self.progress = Progress(self._stderr, live=live, enabled=not self.quiet)

    def _talk(self, *lines: str) -> None:
        self.progress.clear()
        self._stderr.write("".join(f"{visible_line(line)}\n" for line in lines), flush=True)

    def _before_stdout(self) -> None:
        if self._stdout.is_terminal:
            self.progress.clear()
            self._stderr.flush()


def output_failed(where: str, error: OSError) -> UsageError:
    """Return the error for a result that could not be written."""
    return UsageError(
        f"cannot write {where}: {error.strerror or error}",
        code=codes.OUTPUT_FAILED,
        hint="choose another place, or free some space",
    )


def _open_for_lines(path: Path) -> Stream:
    try:
        return Stream(path.open("w", encoding="utf-8"))
    except OSError as error:
        raise output_failed(f"`{path}`", error) from error


def _json_text(document: Mapping[str, Any], indent: int | None = None) -> str:
    """Return JSON in ASCII: safe on every terminal and under every locale."""
    import json

    text = json.dumps(document, indent=indent)
    if "\\ud" not in text:
        return text
    # Names that are not UTF-8 hold lone surrogates, which no reader of JSON has to accept (RFC 7493 section 2.1).
    return json.dumps(_without_lone_surrogates(document), indent=indent)


def _without_lone_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {_without_lone_surrogates(key): _without_lone_surrogates(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_lone_surrogates(item) for item in value]
    return value


def _from_workspace(folder: Path, variables: Mapping[str, str]) -> str:
    """Return the folder as annotations name it: relative to the checkout, `/` between parts."""
    workspace = variables.get("GITHUB_WORKSPACE") or Path.cwd()
    return Path(os.path.relpath(folder, workspace)).as_posix()


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
