"""What can be typed after each verb, read from the verbs themselves: for completion scripts and for docs/."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from reinmaker_cli.cli import tree
from reinmaker_cli.cli.completion_values import ENVIRONMENTS, MANIFESTS
from reinmaker_cli.cli.verbs import load_verb
from reinmaker_cli.cli.webhook_options import TYPE_PREFIX
from reinmaker_cli.contract import codes, names

_TAKE_MANIFEST_IDS = ("status", "local decide")
_ENVIRONMENTS = ("local", "staging", "production")


@dataclass(frozen=True)
class Option:
    """One option of a verb."""

    words: tuple[str, ...]
    """As typed, such as `-e` and `--env`."""
    help: str
    takes_value: bool
    metavar: str
    """What the value is called; "" for switches."""
    choices: tuple[str, ...]
    """Values to offer; none: files where `takes_path`, else nothing."""
    variable: str
    looked_up: str = ""
    """What is looked up for its values beside `choices`: "" or `environments`."""

    @property
    def takes_path(self) -> bool:
        """Whether the value is a file or folder."""
        return takes_path(self.metavar)


@dataclass(frozen=True)
class Leaf:
    """One verb: its options, and what its arguments may be."""

    name: str
    summary: str
    help: str
    usage: str
    options: tuple[Option, ...]
    arguments: tuple[tuple[str, str], ...]
    """Metavar and help of each."""
    choices: tuple[str, ...]
    """Values to offer for the first argument; none: files where one `takes_path`, else nothing."""
    looked_up: str = ""
    """What is looked up for its arguments, beside files: "" or `manifests`."""

    @property
    def takes_path(self) -> bool:
        """Whether an argument is a file or folder."""
        return any(takes_path(metavar) for metavar, _ in self.arguments)


def takes_path(metavar: str) -> bool:
    """Return whether what a value is called says that it is a file or folder."""
    return re.search(r"\b(?:FILE|DIR|DIRECTORY|PATH|MANIFEST|RECEIPT|REQUEST)\b", metavar.upper()) is not None


def leaves() -> tuple[Leaf, ...]:
    """Return every verb in tree order. Imports all their modules."""
    return tuple(_leaf(name) for name in tree.COMMANDS)


def _leaf(name: str) -> Leaf:
    import typer

    command: Any = load_verb(name).command(name)
    context = typer.Context(command, info_name=f"reinmaker {name}", resilient_parsing=True)
    options = [one for one in command.params if one.param_type_name == "option" and not one.hidden]
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    return Leaf(
        name=name,
        summary=tree.summary(name),
        help=command.help or "",
        usage=" ".join(command.collect_usage_pieces(context)).replace("[OPTIONS]", "").strip(),
        options=tuple(_option(one, context) for one in options),
        arguments=tuple((one.make_metavar(context), one.help or "") for one in arguments),
        choices=_first_choices(name, arguments),
        looked_up=MANIFESTS if name in _TAKE_MANIFEST_IDS else "",
    )


def _option(option: Any, context: Any) -> Option:
    words = tuple(sorted(option.opts, key=len))
    metavar = "" if option.is_flag else option.make_metavar(context)
    choices = tuple(str(choice) for choice in getattr(option.type, "choices", ()))
    if "--env" in words:
        choices = _ENVIRONMENTS
    elif "--allow" in words:
        choices = tuple(name for name, code in codes.ALL.items() if code.family == "finding" and code.allowable)
    elif not choices and "|" in metavar and metavar == metavar.lower():
        choices = tuple(metavar.split("|"))
    long = next((word for word in words if word.startswith("--")), words[0])
    variable = str(option.envvar or f"REINMAKER_{long.lstrip('-').replace('-', '_').upper()}")
    looked_up = ENVIRONMENTS if "--env" in words else ""
    return Option(words, option.help or "", not option.is_flag, metavar, choices, variable, looked_up)


def _first_choices(name: str, arguments: list[Any]) -> tuple[str, ...]:
    if name == "explain":
        return tuple(codes.ALL)
    if name == "webhooks trigger":
        return tuple(str(one).removeprefix(TYPE_PREFIX) for one in names.EventType)
    if name == "spec schema":
        from reinmaker_cli.cli.spec import schema_names

        return ("manifest", *schema_names())
    if not arguments:
        return ()
    return tuple(str(getattr(choice, "value", choice)) for choice in getattr(arguments[0].type, "choices", ()))
