"""`reinmaker doctor`: everything that could stop a publication, each with its cure. Changes nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.text import Styled, counted
from reinmaker_cli.cli.verbs import SERVER, verb
from reinmaker_cli.errors import AccessDenied, ContentInvalid, ReinmakerError, ServerUnreachable, UsageError

if TYPE_CHECKING:
    from reinmaker_cli.client.checks import Checked, Failed
    from reinmaker_cli.client.environment import Environment

_COLOURS: dict[str, Literal["green", "yellow", "red"]] = {"passed": "green", "warning": "yellow", "failed": "red"}
_ERRORS: dict[int, type[ReinmakerError]] = {
    kind.exit_code: kind for kind in (UsageError, ContentInvalid, AccessDenied, ServerUnreachable)
}


@verb(flags=SERVER, reads_files=False)
def doctor(
    run: Run,
    online: Annotated[
        bool, typer.Option("--online", help="Also ask the server and the issuer; a local server is asked anyway.")
    ] = False,
) -> None:
    """Look at everything that could stop a publication, and say each cure. Changes nothing, asks nobody.

    Exit 0 where all is well or only warned of; else that of what a publication would meet first: 2 configuration,
    4 credentials, 3 content, 7 network.
    """
    from reinmaker_cli.cli.doctor_settings import worst

    checks: list[Checked] = []
    for one in _checks(run, online=online):
        checks.append(one)
        _show(run, one)
    run.output.add(results=[_as_json(one) for one in checks])
    failures = [one for one in checks if _word(one) == "failed"]
    run.output.ids(one.check for one in failures)
    first = worst(checks)
    if first is not None:
        raise _error(first, len(failures), len(checks))
    warnings = sum(_word(one) == "warning" for one in checks)
    run.output.note(f"{counted(len(checks), 'check')}, {counted(warnings, 'warning')}")
    if not online and not run.output.quiet:
        run.output.note("next: `reinmaker doctor --online` asks the server too")


def _checks(bare: Run, *, online: bool) -> Iterator[Checked]:
    from reinmaker_cli.cli import doctor_folder, doctor_settings
    from reinmaker_cli.client import check_machine

    yield check_machine.check_python()
    yield check_machine.check_tls()
    configuration = doctor_settings.Configuration(bare)
    yield configuration.check_user_file()
    yield from _present(configuration.check_project_settings())
    run = configuration.run(bare.output)
    yield from doctor_settings.check_settings(run.settings)
    yield from doctor_settings.check_variable_names(run.variables, doctor_settings.known_variables())
    yield doctor_folder.check_project()
    yield from doctor_folder.check_git_lfs(_folder())
    yield check_machine.check_descriptors()
    yield check_machine.check_writable(
        "temporary files", Path(tempfile.gettempdir()), hint="name a folder that you may write to in TMPDIR"
    )
    yield check_machine.check_disk(Path(tempfile.gettempdir()))
    yield check_cache(run.cache_folder)
    environment = doctor_settings.check_environment(run)
    yield environment
    if _word(environment) != "failed":
        yield from _checks_of_environment(run, run.environment, online=online)


def check_cache(folder: Path) -> Checked:
    """Return whether digests can be kept between runs; only a warning, because without them it is just slower."""
    from reinmaker_cli.client import check_machine
    from reinmaker_cli.client.checks import Failed, Warned

    hint = "name another place in XDG_CACHE_HOME; without one, each run reads every file again"
    found = check_machine.check_writable("cache folder", folder, hint=hint)
    return Warned(found.check, found.fact, found.code, found.hint) if isinstance(found, Failed) else found


def _checks_of_environment(run: Run, environment: Environment, *, online: bool) -> Iterator[Checked]:
    from reinmaker_cli.cli.access import ca_file
    from reinmaker_cli.cli.doctor_buckets import check_uploads
    from reinmaker_cli.client import check_access, check_machine

    named_file = ca_file(run)
    yield check_machine.check_certificates(environment.api_url)
    trusted = check_machine.check_ca_file(named_file)
    yield trusted
    yield check_machine.check_proxy(environment.api_url, local_host=environment.local_host)
    yield check_access.check_variables(environment, run.variables)
    yield from check_uploads(environment.name, run.variables)
    if environment.is_local:
        yield check_access.check_data_folder(run.data_folder)
        yield check_machine.check_writable("data folder", run.data_folder, hint="name another folder with --data")
        yield check_machine.check_disk(run.data_folder)
    credentials = list(_credentials(run, environment))
    yield from credentials
    # A local server is on this machine: to ask it is not to go online.
    if (online or environment.is_local) and _word(trusted) != "failed":
        has_client = any(one.check == "secret" and _word(one) != "failed" for one in credentials)
        yield from _online(run, environment, has_client=has_client, is_thorough=online)


def _credentials(run: Run, environment: Environment) -> Iterator[Checked]:
    from reinmaker_cli.cli.access import unattended_keyring
    from reinmaker_cli.client import check_access
    from reinmaker_cli.client.local import read_local_client

    keyring = unattended_keyring()
    found = check_access.check_keyring(environment, run.variables, keyring)
    yield found
    if _word(found) == "failed":  # reading a locked one would prompt
        return
    try:
        local = read_local_client(run.data_folder) if environment.is_local else None
    except ReinmakerError:  # said of the data folder
        return
    if environment.is_local and local is None:  # said of the data folder
        return
    yield check_access.check_secret(
        environment, variables=run.variables, keyring=keyring, local=local, now=datetime.now(UTC)
    )


def _online(run: Run, environment: Environment, *, has_client: bool, is_thorough: bool) -> Iterator[Checked]:
    from reinmaker_cli.cli.access import ca_file, open_run_token_source, trace_log
    from reinmaker_cli.client import check_server
    from reinmaker_cli.client.api import new_trace_id
    from reinmaker_cli.client.connection import Connection, open_http

    name = check_server.check_name(environment.api_url, local_host=environment.local_host)
    yield name
    if _word(name) == "failed":
        return
    trace_id, trace = new_trace_id(), trace_log(run)
    try:
        http = open_http(environment.api_url, ca_file=ca_file(run), local_host=environment.local_host, trace=trace)
    except ReinmakerError:  # said of the proxy
        return
    connection = Connection(http, environment.api_url, trace=trace)
    try:
        found = list(check_server.check_server(connection, environment, trace_id=trace_id))
        yield from found
        if not is_thorough or len(found) == 1:  # no answer came
            return
        yield check_server.check_schema(connection, trace_id=trace_id)
    finally:
        connection.close()
    if has_client:
        source = open_run_token_source(run)
        try:
            yield from check_server.check_token(source)
        finally:
            source.close()


def _present(one: Checked | None) -> Iterable[Checked]:
    return () if one is None else (one,)


def _folder() -> Path:
    from reinmaker_cli.assets.project import find_project_root

    return find_project_root(Path()) or Path()


def _show(run: Run, one: Checked) -> None:
    word = _word(one)
    colour = _COLOURS[word]
    if word == "passed":
        run.output.data((Styled(colour, f"{word:8}"), f"{one.check:16} {one.fact}"))
        return
    code, hint = one.code, one.hint  # type: ignore[union-attr]  # all but Passed have them
    run.output.data((Styled(colour, f"{word:8}"), f"{one.check:16} {one.fact} [{code}]"), f"{'':24} hint: {hint}")


def _word(one: Checked) -> str:
    return {"Passed": "passed", "Warned": "warning", "Failed": "failed"}[type(one).__name__]


def _as_json(one: Checked) -> dict[str, Any]:
    known = {"check": one.check, "outcome": _word(one), "fact": one.fact}
    return known | ({} if _word(one) == "passed" else {"code": one.code, "hint": one.hint})  # type: ignore[union-attr]


def _error(first: Failed, failures: int, checks: int) -> ReinmakerError:
    of = f"{failures} of {counted(checks, 'check')} failed"
    more = f"{of}; first: {first.fact}" if failures > 1 else f"{of}: {first.fact}"
    return _ERRORS[first.exit_code](more, code=first.code, hint=first.hint)
