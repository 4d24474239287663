"""Mistakes of the fingers: words, flags, names."""

from __future__ import annotations

from tests.trial.world import World


def test_misspelt_command(world: World) -> None:
    """A misspelt command."""
    world.mistake("reinmaker chekc lesson", code="usage")
    world.cure(again=False)


def test_misspelt_option(world: World) -> None:
    """A misspelt option."""
    world.mistake("reinmaker check lesson --verbos", code="usage")
    world.cure(again=False)


def test_option_before_the_command(world: World) -> None:
    """An option before the command."""
    world.mistake("reinmaker --quiet check lesson", code="usage")
    world.cure(again=False)


def test_second_word_missing(world: World) -> None:
    """A command that needs a second word."""
    world.mistake("reinmaker config", code="usage")
    world.not_cured("only you know which one is meant")


def test_value_of_an_option_missing(world: World) -> None:
    """An option without its value."""
    world.mistake("reinmaker check lesson --only", code="usage")
    world.not_cured("only you know which value is meant")


def test_word_instead_of_a_number(world: World) -> None:
    """A word where a number belongs."""
    world.mistake("reinmaker check lesson --jobs all", code="usage")
    world.not_cured("only you know which number is meant")


def test_unknown_environment(world: World) -> None:
    """A misspelt environment."""
    with world.server() as started:
        world.mirror(started.url)
        world.monkeypatch.setenv("REINMAKER_CLIENT_ID", started.client.client_id)
        world.monkeypatch.setenv("REINMAKER_CLIENT_SECRET", started.client.client_secret)
        world.mistake("reinmaker publish lesson --env miror", code="unknown-environment")
        world.cure(again=False)


def test_value_that_selects_nothing(world: World) -> None:
    """A value of --only that no manifest has."""
    world.mistake("reinmaker check lesson --only locale=fr", code="nothing-selected")
    world.cure(again=False)


def test_unknown_code(world: World) -> None:
    """A code that does not exist."""
    world.mistake("reinmaker explain lfs", code="unknown-code")
    world.cure(again=False)


def test_several_into_one_file(world: World) -> None:
    """Several manifests into one file."""
    world.mistake("reinmaker build lesson -o out.json", code="usage")
    world.cure(again=False)


def test_a_folder_of_manifests(world: World) -> None:
    """A folder of manifests instead of its files."""
    world.ready("reinmaker build lesson -o out/")
    world.mistake("reinmaker check out", code="config-missing")
    world.cure(again=False)


def test_rehearsal_without_the_folder(world: World) -> None:
    """A rehearsal of a manifest file, and nobody said where its assets lie."""
    world.ready("reinmaker build lesson --only locale=fr-FR -o fr.json")
    world.mistake("reinmaker rehearse fr.json", code="usage")
    world.cure(again=False, filled={"DIR": "lesson"})


def test_local_command_for_another_environment(world: World) -> None:
    """A command of the local server, for another environment."""
    with world.server():
        world.mistake("reinmaker local clock --env staging", code="local-only")
        world.cure(again=False)


def test_version_that_the_server_does_not_know(world: World) -> None:
    """A manifest id that the server does not know."""
    with world.server():
        world.ready("reinmaker publish lesson")
        world.mistake("reinmaker status tiny-en", code="manifest-not-found")
        world.cure(again=False)


def test_snapshot_that_is_not_there(world: World) -> None:
    """A snapshot that was never taken."""
    with world.server():
        world.ready("reinmaker local snapshot before")
        world.mistake("reinmaker local restore befor", code="snapshot-not-found")
        world.cure(again=False)
