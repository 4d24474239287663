"""`reinmaker`: from the words of a command line to an exit code. main() is the only place where errors become codes.

Nothing heavy is imported at the top: `--version` and `--help` answer before anything else is loaded.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # what `typing` has under this name; importing it costs a fifth of `--version`
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from reinmaker_cli.cli.output import Output
    from reinmaker_cli.client.patience import Clockwork
    from reinmaker_cli.errors import ReinmakerError


def main() -> NoReturn:
    """Run the command line of this process and exit."""
    code = run_command_line(sys.argv[1:])
    if "obstore" in sys.modules:
        # Its threads hand results over by calling Python. One that is on its way back from there while the interpreter
        # ends is ended in the middle of Rust, which aborts the process; all that was to be said is written already.
        os._exit(code)
    sys.exit(code)


def run_command_line(arguments: Sequence[str], world: Clockwork | None = None) -> int:
    """Run one command line and return its exit code; nothing escapes but what Python itself raises at exit.

    `world` is the time in which limits, pauses and time limits pass; without it, real time.
    """
    if arguments and arguments[0] in ("--version", "-V"):
        from reinmaker_cli import __version__

        return _write_plain(f"reinmaker {__version__}\n")
    from reinmaker_cli.cli import usage

    if not arguments:
        return _write_plain(usage.START)
    if len(arguments) == 1 and arguments[0] in (*usage.HELP_FLAGS, "help"):
        return _write_plain(usage.help_text())
    if arguments[0] == "help":
        arguments = [*arguments[1:], "--help"]
    try:
        name, rest = usage.find_verb(arguments)
    except usage.CommandLineError as error:
        return _refuse_command_line(error, arguments)
    from reinmaker_cli.cli import tree

    if name in tree.GROUPS:
        if rest:
            return _write_plain(usage.help_text(name))
        missing = usage.CommandLineError(
            f"`reinmaker {name}` needs a second word",
            f"one of: {', '.join(tree.children(name))}; `reinmaker {name} --help` says what each does",
        )
        return _refuse_command_line(missing, arguments)
    return run_verb(name, rest, world)


def run_verb(name: str, arguments: Sequence[str], world: Clockwork | None = None) -> int:
    """Run one verb with the words after it and return its exit code."""
    from reinmaker_cli.cli.output import Output
    from reinmaker_cli.cli.signals import interrupts_as_exceptions

    output = Output.for_command(name, arguments, os.environ)
    with interrupts_as_exceptions():
        try:
            error = _outcome(name, arguments, output, world)
            return output.finish(error)
        except KeyboardInterrupt:  # while the last report was written
            return output.finish(_interruption())


def _outcome(
    name: str, arguments: Sequence[str], output: Output, world: Clockwork | None
) -> ReinmakerError | BaseException | None:
    """Run the verb; return what stopped it, or None."""
    from reinmaker_cli.cli.document import exit_code_of
    from reinmaker_cli.cli.signals import received
    from reinmaker_cli.errors import Interrupted, ReinmakerError

    try:
        from reinmaker_cli.cli.verbs import call_verb

        call_verb(name, arguments, output, world)
    except Interrupted as error:
        return error if exit_code_of(error) == 128 + received() else _interruption()
    except ReinmakerError as error:
        return error
    except KeyboardInterrupt:
        return _interruption()
    except Exception as bug:  # noqa: BLE001  the one place where a bug becomes a code; it keeps its traceback
        return bug
    return None


def _interruption() -> ReinmakerError:
    from reinmaker_cli.cli import signals
    from reinmaker_cli.contract import codes
    from reinmaker_cli.errors import Interrupted

    number = signals.received()
    word = "SIGTERM" if number != signals.SIGINT_NUMBER else "^C"
    return Interrupted(
        f"interrupted by {word}", code=codes.INTERRUPTED, hint=codes.INTERRUPTED.cure, signal_number=number
    )


def _refuse_command_line(problem: Exception, arguments: Sequence[str]) -> int:
    from reinmaker_cli.cli.output import Output
    from reinmaker_cli.cli.usage import CommandLineError
    from reinmaker_cli.contract import codes
    from reinmaker_cli.errors import UsageError

    assert isinstance(problem, CommandLineError)
    output = Output.for_command("error", arguments, os.environ)
    return output.finish(UsageError(problem.message, code=codes.USAGE, hint=problem.hint))


def _write_plain(text: str) -> int:
    """Write one of the light answers without loading the output room; a reader that has gone is no failure."""
    from reinmaker_cli.cli.streams import write_stdout

    return write_stdout(text)
