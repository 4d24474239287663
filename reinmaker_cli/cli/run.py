"""One run of one verb: its settings, its output, and what is built from them when it is needed."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from reinmaker_cli.cli.output import Output
from reinmaker_cli.cli.text import retyped, visible
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import ConfigError, UsageError
from reinmaker_cli.settings import PROJECT_FLAGS, Document, Settings, resolve_settings

if TYPE_CHECKING:
    from reinmaker_cli.client.environment import Environment
    from reinmaker_cli.client.patience import Clockwork

APP_NAME = "reinmaker"


class Run:
    """What a verb is handed. Nothing is read before it is asked for, the two configuration files excepted."""

    def __init__(
        self,
        verb: str,
        settings: Settings,
        output: Output,
        *,
        variables: Mapping[str, str],
        project: Document | None = None,
        user: Document | None = None,
        typed: Mapping[str, Any] = MappingProxyType({}),
        words: Sequence[str] = (),
        world: Clockwork | None = None,
    ) -> None:
        self.verb = verb
        self.settings = settings
        self.output = output
        self.variables = variables
        self.project_document = project
        self.user_document = user
        self._typed = typed
        self._words = tuple(words)
        self._world = world

    @classmethod
    def start(
        cls,
        verb: str,
        flags: Mapping[str, Any],
        values: Mapping[str, Any],
        output: Output,
        *,
        reads_files: bool,
        words: Sequence[str],
        world: Clockwork | None = None,
    ) -> Run:
        """Read the configuration files, resolve the settings, and set the output to them; `words` are those typed."""
        variables = os.environ
        # What was typed decides how even a broken configuration file is reported.
        typed = resolve_settings(flags, variables, None, None)
        output.configure(typed, final=not reads_files)
        if not reads_files:
            return cls(verb, typed, output, variables=variables, typed={**flags, **values}, words=words, world=world)
        user = read_user_document(flags.get("config"), variables)
        project = read_project_document(_first_folder(values))
        settings = resolve_settings(flags, variables, project, user)
        output.configure(settings)
        return cls(
            verb,
            settings,
            output,
            variables=variables,
            project=project,
            user=user,
            typed={**flags, **values},
            words=words,
            world=world,
        )

    @cached_property
    def world(self) -> Clockwork:
        """The time in which limits, pauses and time limits pass."""
        from reinmaker_cli.client.patience import Clockwork

        return self._world or Clockwork()

    @cached_property
    def environment(self) -> Environment:
        """The environment that --env chose; noted in the document."""
        from reinmaker_cli.cli.environments import find_environment

        environment = find_environment(
            self.settings,
            self.project_document,
            self.user_document,
            self.data_folder,
            instead=lambda name: self.with_option("--env", name),
        )
        self.output.add(environment={"name": environment.name, "apiUrl": environment.api_url})
        return environment

    @cached_property
    def data_folder(self) -> Path:
        """The data folder of the local server: --data, else the user's data folder. It need not exist."""
        if self.settings.data:
            return Path(self.settings.data).expanduser()
        import platformdirs

        return Path(platformdirs.user_data_dir(APP_NAME, appauthor=False))

    @property
    def cache_folder(self) -> Path:
        """Where digests are kept between runs. It need not exist."""
        import platformdirs

        return Path(platformdirs.user_cache_dir(APP_NAME, appauthor=False)) / "digests"

    def remember_manifests(self) -> None:
        """Keep the manifest ids that this command has seen, for completion; where they cannot be kept nothing fails."""
        ids = self.output.manifest_ids()
        if not ids or self.settings.no_cache:
            return
        from reinmaker_cli.cli.completion_values import remember_manifests

        try:
            remember_manifests(ids, self.cache_folder.parent)
        except OSError as error:
            self.output.verbose(f"manifest ids are not kept for completion: {error.strerror}")

    @property
    def may_ask(self) -> bool:
        """Whether a person is there to answer: a terminal on both sides, and no --no-input."""
        if self.settings.no_input or sys.stdin is None or sys.stderr is None:
            return False
        return sys.stdin.isatty() and sys.stderr.isatty()

    def again(self, verb: str, *more: str, options: Sequence[str] = ("only", "allow")) -> str:
        """Return the command line of another verb for what this one was pointed at: the same folders and environment.

        `options` are those of this verb that the other one takes too.
        """
        places = self._typed.get("paths") or self._typed.get("words") or [self._typed.get("directory") or Path()]
        words = ["reinmaker", verb, *(str(place) for place in places if place != Path())]
        for name in ("env", "data", "config", *PROJECT_FLAGS, *options):
            value = self._typed.get(name)
            for one in value if isinstance(value, list) else [value]:
                words += [f"--{name.replace('_', '-')}", str(one)] if one is not None else []
        return shlex.join([*words, *more])

    @property
    def names_files(self) -> bool:
        """Whether the command line names files, and not folders."""
        return any(Path(path).is_file() for path in self._typed.get("paths") or ())

    @property
    def typed_data(self) -> str | None:
        """The folder of --data; None where a variable, which the next command has too, or nothing names one."""
        found: str | None = self._typed.get("data")
        return found

    @property
    def chose_environment(self) -> bool:
        """Whether the environment was chosen by --env, and not by a variable that the next command has too."""
        return self._typed.get("env") is not None

    def line(self) -> str:
        """Return this command line."""
        return shlex.join(["reinmaker", *self.verb.split(), *self._words])

    def instead(self, wrong: str | Path, right: str | Path) -> str:
        """Return this command line with one word put right."""
        return retyped(self.verb, self._words, str(wrong), str(right))

    def without_flag(self, flag: str) -> str:
        """Return this command line without an option that has no value."""
        words = [word for word in self._words if word != flag]
        return shlex.join(["reinmaker", *self.verb.split(), *words])

    def with_option(self, option: str, value: str | None = "") -> str:
        """Return this command line with an option: of that value, without one (""), or without the option (None)."""
        short = {"--env": "-e"}.get(option, option)
        words = list(self._words)
        for index in reversed(range(len(words))):
            if words[index] in (option, short):
                del words[index : index + (1 if value == "" else 2)]
            elif words[index].startswith(f"{option}="):
                del words[index]
        added = [] if value is None else [option, value] if value else [option]
        return shlex.join(["reinmaker", *self.verb.split(), *words, *added])

    def confirm(self, question: str, *, default: bool = False) -> bool:
        """Ask a question with y or n; False where nobody may be asked, `default` where only Enter is pressed."""
        if not self.may_ask:
            return False
        self.output.prompt(f"{question} {'[Y/n]' if default else '[y/N]'} ")
        line = sys.stdin.readline()
        answer = line.strip().lower()
        return answer in ("y", "yes") or (default and not answer and line.endswith("\n"))  # the end of input is no yes

    def ask(self, question: str, *, default: str | None = None) -> str:
        """Ask for a word. UsageError where nobody may be asked, or nothing is answered and there is no `default`."""
        self._require_person(question)
        self.output.prompt(f"{question}: ")
        answer = sys.stdin.readline().strip()
        if not answer and default is not None:
            return default
        if not answer:
            raise UsageError(f"no {question} was given", code=codes.USAGE, hint=f"`reinmaker {self.verb} --help`")
        return answer

    def ask_hidden(self, question: str) -> str:
        """Ask for a secret without echo. Raises UsageError where nobody may be asked."""
        self._require_person(question)
        import getpass

        self.output.stop_progress()
        return getpass.getpass(f"{visible(question)}: ")

    def _require_person(self, question: str) -> None:
        if not self.may_ask:
            raise UsageError(
                f"nobody is there to give the {question}",
                code=codes.USAGE,
                hint=f"give it by flag, variable or stdin: `reinmaker {self.verb} --help`",
            )


def user_file(flag: str | None, variables: Mapping[str, str]) -> Path:
    """Return where the user's configuration is, existing or not."""
    chosen = flag or variables.get("REINMAKER_CONFIG")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_config_dir(APP_NAME, appauthor=False)) / "config.toml"


def read_user_document(flag: str | None, variables: Mapping[str, str]) -> Document | None:
    """Return the user's configuration; None where there is none. Raises ConfigError."""
    path = user_file(flag, variables)
    if path.exists():
        from reinmaker_cli.assets.project import read_toml

        return Document(str(path), read_toml(path))
    if flag or variables.get("REINMAKER_CONFIG"):
        raise ConfigError(
            f"no such file: `{path}`",
            code=codes.CONFIG_UNREADABLE,
            hint=f"`ls {shlex.quote(str(path.parent))}` shows what is there; without --config your own is used",
        )
    return None


def read_project_document(folder: Path) -> Document | None:
    """Return the nearest reinmaker.toml upward as it is; None where there is none. Raises ConfigError."""
    from reinmaker_cli.assets.project import PROJECT_FILE, find_project_root, read_toml

    try:
        root = find_project_root(folder)
    except OSError as error:  # a name that is too long, a folder above that may not be looked into, no current folder
        raise ConfigError(
            f"cannot look for {PROJECT_FILE} in `{folder}` and above: {error.strerror}",
            code=codes.CONFIG_UNREADABLE,
            hint="check the path and its permissions",
        ) from error
    if root is None:
        return None
    path = root / PROJECT_FILE
    return Document(os.path.relpath(path), read_toml(path))


def _first_folder(values: Mapping[str, Any]) -> Path:
    """Return the folder that the verb was pointed at, for the project's settings."""
    named = values.get("paths") or values.get("directory") or values.get("root") or "."
    first = Path(named[0] if isinstance(named, list | tuple) else named)
    return first if os.path.isdir(first) else first.parent  # noqa: PTH112 (False, and no error, for impossible names)
