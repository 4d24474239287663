"""What makes a function a verb: the shared flags are added, settings resolved, and one Run handed in.

    @verb(flags=SERVER)
    def status(run: Run, ids: Annotated[list[str] | None, typer.Argument(help="…")] = None) -> None: ...

A verb returns nothing; it says what it has to say through `run.output` and raises a ReinmakerError to fail.
"""

from __future__ import annotations

import importlib
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from reinmaker_cli.cli import tree
from reinmaker_cli.cli.output import Output
from reinmaker_cli.cli.text import retyped, shorten
from reinmaker_cli.cli.usage import HELP_FLAGS
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import ReinmakerError, UsageError
from reinmaker_cli.settings import BY_NAME, PROJECT_FLAGS, Knob

if TYPE_CHECKING:
    import typer
    from typer.core import TyperCommand

    from reinmaker_cli.cli.run import Run
    from reinmaker_cli.client.patience import Clockwork

BARE = ("json", "events", "quiet", "verbose", "color")
"""For verbs that must work with a broken configuration file: no file is read."""
TALK = (*BARE, "config")
"""For verbs of one room: the files are read."""
HASHING = ("jobs", "no_cache")
"""For verbs that hash files."""
FOLDER = (*PROJECT_FLAGS, *HASHING, "env", "data", *TALK)
"""For verbs that look at folders: the environment chooses the URLs of the assets."""
SERVER = ("env", "data", "trace", "ca_file", "no_input", *TALK)
"""For verbs that speak to a server."""
PUBLISH = (*PROJECT_FLAGS, *HASHING, *SERVER, "timeout", "deadline")
"""For verbs that do both."""


@dataclass(frozen=True)
class Verb:
    """A function of the command line with the names of the shared flags that it takes."""

    function: Callable[..., None]
    flags: tuple[str, ...]
    reads_files: bool
    """Whether the configuration files are read; those that must work with a broken one say no."""

    def command(self, name: str) -> TyperCommand:
        """Return the Typer command; calling it gives the values that were typed, and runs nothing."""
        import typer
        from typer.core import TyperCommand

        app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        app.command(name, help=inspect.getdoc(self.function))(self._parse())
        command = typer.main.get_command(app)
        assert isinstance(command, TyperCommand)
        return command

    def _parse(self) -> Callable[..., dict[str, Any]]:
        """Return a function with the verb's parameters and the shared ones, that returns its arguments."""

        def parse(**values: Any) -> dict[str, Any]:
            return values

        parameters = self._parameters()
        parse.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        parse.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return parse

    def _parameters(self) -> list[inspect.Parameter]:
        hints = typing.get_type_hints(self.function, include_extras=True)
        own = list(inspect.signature(self.function).parameters.values())[1:]
        parameters = [
            parameter.replace(
                kind=inspect.Parameter.KEYWORD_ONLY, annotation=_with_variable(parameter.name, hints[parameter.name])
            )
            for parameter in own
        ]
        return parameters + [_shared_parameter(BY_NAME[flag]) for flag in self.flags]


def verb(*, flags: Sequence[str], reads_files: bool | None = None) -> Callable[[Callable[..., None]], Verb]:
    """Make a function a verb with these shared flags; one with `config` reads the files, if nothing else is said."""
    reads = "config" in flags if reads_files is None else reads_files
    return lambda function: Verb(function, tuple(flags), reads)


def _with_variable(name: str, hint: Any) -> Any:
    """Give an option its variable: `--copy-plan` → REINMAKER_COPY_PLAN."""
    from typer.models import OptionInfo

    for info in getattr(hint, "__metadata__", ()):
        if isinstance(info, OptionInfo):
            info.envvar = info.envvar or f"REINMAKER_{_long_name(info, name)}"
            info.show_envvar = False
    return hint


def _long_name(info: Any, name: str) -> str:
    declared = [info.default, *(info.param_decls or ())]
    long = next((word for word in declared if isinstance(word, str) and word.startswith("--")), f"--{name}")
    return long.split("/")[0].removeprefix("--").replace("-", "_").upper()


def _shared_parameter(knob: Knob) -> inspect.Parameter:
    """Return the parameter of a shared flag. None means "not typed": variables and files come in later."""
    import typer

    kinds: dict[str, Any] = {"switch": bool, "count": int, "seconds": float}
    words = [knob.flag, *([knob.short] if knob.short else [])]
    metavar = knob.metavar or ("|".join(knob.choices) or None)
    info = typer.Option(*words, help=knob.help, metavar=metavar, show_default=False)
    return inspect.Parameter(
        knob.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kinds.get(knob.kind, str) | None, info],
    )


def load_verb(name: str) -> Verb:
    """Import and return the verb of that name from the tree."""
    module, _, attribute = tree.COMMANDS[name][0].partition(":")
    found = getattr(importlib.import_module(module), attribute)
    assert isinstance(found, Verb)
    return found


def call_verb(name: str, arguments: Sequence[str], output: Output, world: Clockwork | None = None) -> None:
    """Parse the words, resolve the settings, and run the verb."""
    from reinmaker_cli.cli.run import Run

    run: Run | None = None

    def started(*words: Any, **more: Any) -> Run:
        nonlocal run
        run = Run.start(*words, **more, world=world)
        return run

    try:
        _call(name, arguments, output, started)
    except ReinmakerError as error:
        from reinmaker_cli.cli.next_step import name_next_step

        name_next_step(error, name, run, output.shown_findings)
        raise
    finally:
        if run is not None:
            run.remember_manifests()


def _call(name: str, arguments: Sequence[str], output: Output, start: Callable[..., Run]) -> None:
    found = load_verb(name)
    command = found.command(name)
    words = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    if any(word in HELP_FLAGS for word in words):
        output.help(_help_text(command, name))
        return
    values = _typed_values(command, name, list(arguments))
    flags = {flag: values.pop(flag) for flag in found.flags}
    typed = {flag: value for flag, value in flags.items() if value is not None}
    _require_possible_paths(values)
    found.function(start(name, typed, values, output, reads_files=found.reads_files, words=arguments), **values)


def _require_possible_paths(values: Mapping[str, Any]) -> None:
    """Refuse paths that the system will not even look at, here and once: too long, or behind a folder without rights.

    `Path.exists` and `Path.is_file` raise for those. A path to nothing is the verb's to judge.
    """
    for value in values.values():
        for path in value if isinstance(value, list) else [value]:
            if not isinstance(path, Path):
                continue
            try:
                path.stat()
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise UsageError(
                    f"cannot look at `{shorten(str(path))}`: {(error.strerror or '').lower()}",
                    code=codes.FOLDER_NOT_FOUND,
                    hint="check the path and its permissions",
                ) from error


def _help_text(command: TyperCommand, name: str) -> str:
    import typer

    context = typer.Context(command, info_name=f"reinmaker {name}", resilient_parsing=True)
    with context:
        return command.get_help(context) + "\n"


def _typed_values(command: TyperCommand, name: str, arguments: list[str]) -> dict[str, Any]:
    import typer

    try:
        with command.make_context(f"reinmaker {name}", list(arguments)) as context:  # it empties the list
            values: dict[str, Any] = command.invoke(context)
    except typer.TyperException as error:
        raise _usage_error(name, arguments, error) from error
    return values


def _usage_error(name: str, arguments: Sequence[str], error: typer.TyperException) -> UsageError:
    message = error.format_message().rstrip(".")
    message = message[:1].lower() + message[1:]
    message, _, choices = message.partition(". Choose from:")
    possible = getattr(error, "possibilities", None)
    if choices:
        hint = f"one of: {' '.join(choices.split())}; `reinmaker {name} --help` says what each does"
    elif possible:
        message = message.split(" (Possible")[0]
        wrong = getattr(error, "option_name", "")
        hint = f"did you mean `{retyped(name, arguments, wrong, _nearest(wrong, possible))}`?"
    else:
        hint = f"`reinmaker {name} --help` lists the options"
    return UsageError(message, code=codes.USAGE, hint=hint)


def _nearest(typed: str, possible: Sequence[str]) -> str:
    import difflib

    return max(possible, key=lambda word: difflib.SequenceMatcher(None, typed, word).ratio())
