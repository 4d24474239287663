"""What `doctor` says of the configuration: files, settings with their origins, variables, the environment."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path

from reinmaker_cli.cli.output import Output
from reinmaker_cli.cli.run import Run, read_project_document, read_user_document, user_file
from reinmaker_cli.client.checks import Checked, Failed, Passed, Warned, failed_by
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import ReinmakerError
from reinmaker_cli.settings import KNOBS, Document, Knob, Settings, check_settings_table, resolve_settings

CI_VARIABLES = frozenset({"REINMAKER_SOAK"})
"""Not settings: they steer the tests of reinmaker itself."""


class Configuration:
    """The two files as far as they can be read; a broken one is a failure, and the rest goes on without it."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._flags = {name: found[0].value for name, found in run.settings.claims.items() if found[0].source == "flag"}
        self.project: Document | None = None
        self.user: Document | None = None

    def check_user_file(self) -> Checked:
        """Return whether the user's configuration can be read and says only what it may."""
        config = self._flags.get("config")
        try:
            self.user = self._usable(read_user_document(config, self._run.variables), is_project=False)
        except ReinmakerError as error:
            return failed_by("user file", error)
        path = user_file(config, self._run.variables)
        return Passed("user file", f"`{path}`" if self.user is not None else f"`{path}` is not there")

    def check_project_settings(self) -> Checked | None:
        """Return whether the [settings] of the nearest reinmaker.toml can be read; None where there is no such file."""
        try:
            self.project = self._usable(read_project_document(Path()), is_project=True)
        except ReinmakerError as error:
            return failed_by("project file", error)
        return None if self.project is None else Passed("project file", f"`{self.project.path}`")

    def run(self, output: Output) -> Run:
        """Return the run with what could be read of the files."""
        settings = resolve_settings(self._flags, self._run.variables, self.project, self.user)
        return Run(
            self._run.verb,
            settings,
            output,
            variables=self._run.variables,
            project=self.project,
            user=self.user,
            typed=self._flags,
        )

    def _usable(self, document: Document | None, *, is_project: bool) -> Document | None:
        if document is not None:
            check_settings_table(document, is_project=is_project)
            checked_values = {} if is_project else {"user": document}
            resolve_settings({}, {}, document if is_project else None, checked_values.get("user"))
        return document


def check_settings(settings: Settings) -> Iterator[Checked]:
    """Yield each setting that is not at its default, with who said so and what that beat."""
    for knob in KNOBS:
        winner, *beaten = settings.claims[knob.name]
        if winner.source == "default" or knob.name in ("json", "events", "quiet", "verbose", "trace", "color"):
            continue
        others = [claim.source for claim in beaten if claim.source != "default"]
        over = f", which beats {', '.join(others)}" if others else ""
        yield Passed("setting", f"{knob.name} {_shown(knob, winner.value)} from {winner.source}{over}")


def _shown(knob: Knob, value: object) -> str:
    return "(set)" if knob.kind == "secret" else f"`{value}`"


def check_variable_names(variables: Mapping[str, str], known: frozenset[str]) -> Iterator[Checked]:
    """Yield a warning for each variable that nothing reads: a misspelt one does nothing, silently."""
    for name in sorted(variables):
        if not name.startswith("REINMAKER_") or name in known | CI_VARIABLES:
            continue
        near = difflib.get_close_matches(name, sorted(known), n=1)
        hint = f"did you mean {near[0]}? `unset {name}` and set that" if near else codes.UNKNOWN_VARIABLE.cure
        yield Warned("variables", f"nothing reads {name}", codes.UNKNOWN_VARIABLE, hint)


def known_variables() -> frozenset[str]:
    """Return the variables of all settings and all options, and those of secrets, which have no option."""
    from reinmaker_cli.cli.completion_tree import leaves
    from reinmaker_cli.cli.receivers import CONNECTION_FILE_VARIABLE, CONNECTION_VARIABLE
    from reinmaker_cli.cli.webhook_options import SECRET_VARIABLE

    secrets = {SECRET_VARIABLE, CONNECTION_VARIABLE, CONNECTION_FILE_VARIABLE}
    options = {option.variable for leaf in leaves() for option in leaf.options}
    return frozenset({knob.variable for knob in KNOBS} | options | secrets)


def check_environment(run: Run) -> Checked:
    """Return where requests would go, and who said so."""
    try:
        environment = run.environment
    except ReinmakerError as error:
        return failed_by("environment", error)
    winner = run.settings.claims["env"][0]
    source = "by default" if winner.source == "default" else f"by {winner.source}"
    token = f", tokens from {environment.token_origin}" if environment.token_origin != environment.api_origin else ""
    return Passed(
        "environment", f"{environment.name}, {environment.api_url}{token}; {environment.defined_in}, {source}"
    )


def worst(checks: list[Checked]) -> Failed | None:
    """Return the failure that a publication would meet first: configuration, credentials, content, network."""
    failures = [one for one in checks if isinstance(one, Failed)]
    order = (2, 4, 3, 7)
    return min(failures, key=lambda one: order.index(one.exit_code), default=None)
