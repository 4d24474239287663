"""Mistakes in configuration files and variables."""

from __future__ import annotations

from tests.trial.world import World


def test_own_config_missing(world: World) -> None:
    """A configuration file that is not there."""
    world.mistake("reinmaker check lesson --config ci.toml", code="config-unreadable")
    world.not_cured("only you know which file is meant")


def test_secret_in_the_project_file(world: World) -> None:
    """A secret in reinmaker.toml."""
    file = world.work / "lesson" / "reinmaker.toml"
    file.write_text(f'{file.read_text()}\n[env.mine]\napi_url = "https://example.org"\nclient_secret = "s3cret"\n')
    world.mistake("reinmaker publish lesson --env mine", code="secret-in-file")
    world.not_cured("it has to be removed by hand, and the issuer has to give another one", types=False)


def test_number_in_a_variable(world: World) -> None:
    """A word where a variable wants a number."""
    world.monkeypatch.setenv("REINMAKER_JOBS", "many")
    world.mistake("reinmaker check lesson", code="usage")
    world.cure()


def test_misspelt_variable(world: World) -> None:
    """A misspelt variable: nothing reads it, and only the doctor sees it."""
    with world.server():
        world.monkeypatch.setenv("REINMAKER_TIMEUOT", "600")
        world.monkeypatch.chdir(world.work / "lesson")
        world.warning("reinmaker doctor", code="unknown-variable")
        world.cure(clean="unknown-variable")


def test_secret_that_others_can_read(world: World) -> None:
    """A file with a secret that others can read."""
    with world.server() as started:
        (started.data / "client.json").chmod(0o644)
        world.monkeypatch.chdir(world.work / "lesson")
        world.mistake("reinmaker doctor", code="file-too-open")
        world.cure()
