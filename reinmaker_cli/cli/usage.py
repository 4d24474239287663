"""Which verb a command line means, the help of root and groups, and the corrected line where it is meant otherwise."""

from __future__ import annotations

from reinmaker_cli.cli import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

HELP_FLAGS = ("--help", "-h")

# Flags whose next word is a value: it must not be taken for the verb when a line is corrected.
_FLAGS_WITH_VALUE = frozenset(
    {
        *(
            "-e",
            "--env",
            "--data",
            "--events",
            "--color",
            "--ca-file",
            "--config",
            "-o",
            "--output",
            "--only",
            "--jobs",
        ),
        *("--timeout", "--deadline", "--root", "--receipt", "--map", "--port", "--host", "--against", "--allow"),
    }
)

START = """\
reinmaker publishes lesson assets: a folder goes in, a verdict of the Reinmaker API comes out.

where to start, in a folder of assets:
  reinmaker init         look at the folder, write its reinmaker.toml
  reinmaker check        find everything that is wrong with the assets
  reinmaker rehearse     publish to a throw-away server on this machine

then, against a server that stays:
  reinmaker serve        the whole API on this machine; it says what to try
  reinmaker publish      publish, and wait for the verdict; --env staging leaves this machine

when something is wrong:
  reinmaker doctor       everything that could stop a publication, each with its cure
  reinmaker explain      what a finding or an error means

`reinmaker --help` lists all commands, `reinmaker COMMAND --help` explains one.
"""


class CommandLineError(Exception):
    """The words do not name a verb: the fact and the line that was probably meant. No code yet: imports nothing."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def find_verb(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """Return the verb or group that the words name, and the words after it."""
    name = ""
    for position, word in enumerate(arguments):
        if word in HELP_FLAGS and name:
            return name, ["--help"]
        if word.startswith("-"):
            raise _flag_before_verb(name, arguments, position)
        longer = f"{name} {word}".lstrip()
        if longer in tree.COMMANDS:
            return longer, list(arguments[position + 1 :])
        if longer not in tree.GROUPS:
            raise _unknown(name, arguments, position)
        name = longer
    return name, []


def _flag_before_verb(group: str, arguments: Sequence[str], position: int) -> CommandLineError:
    import shlex

    before = " ".join(["reinmaker", *group.split()])
    flag = arguments[position]
    verb_at = _next_verb(group, arguments, position)
    if verb_at is None:
        return CommandLineError(
            f"`{flag}` comes before a command", f"name the command first: `{before} COMMAND {flag}`"
        )
    verb = [arguments[verb_at]]
    rest = verb_at + 1
    if " ".join([*group.split(), *verb]) in tree.GROUPS and rest < len(arguments):
        verb.append(arguments[rest])
        rest += 1
    corrected = [*before.split(), *verb, *arguments[position:verb_at], *arguments[rest:]]
    return CommandLineError(
        f"`{flag}` comes before the command", f"flags follow the command: `{shlex.join(corrected)}`"
    )


def _next_verb(group: str, arguments: Sequence[str], position: int) -> int | None:
    words = tree.children(group)
    skip = False
    for index in range(position, len(arguments)):
        word = arguments[index]
        if skip:
            skip = False
        elif word in _FLAGS_WITH_VALUE:
            skip = True
        elif word in words:
            return index
    return None


def _unknown(group: str, arguments: Sequence[str], position: int) -> CommandLineError:
    import difflib

    before, word = f"reinmaker {group}".rstrip(), arguments[position]
    near = difflib.get_close_matches(word, tree.children(group), n=1, cutoff=0.65)
    hint = f"`{before} --help` lists the commands"
    if near:
        import shlex

        hint = f"did you mean `{shlex.join([*before.split(), near[0], *arguments[position + 1 :]])}`?"
    return CommandLineError(f"no such command: `{before} {word}`", hint)


def help_text(group: str = "") -> str:
    """Return the help of the root ("") or of a group."""
    before = f"reinmaker {group}".rstrip()
    words = tree.children(group)
    width = max(len(word) for word in words)
    lines = [f"usage: {before} COMMAND [OPTIONS]", "", "commands:"]
    lines += [f"  {word:<{width}}  {tree.summary(f'{group} {word}'.lstrip())}" for word in words]
    if not group:
        lines += ["", "options:", "  --version  print the version", "  --help     print this"]
    lines += ["", f"`{before} COMMAND --help` explains one; options follow the command."]
    return "\n".join(lines) + "\n"
