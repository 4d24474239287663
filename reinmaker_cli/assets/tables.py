"""Reading a configuration table strictly: every refusal names the file, the place in it and the nearest right name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from reinmaker_cli.contract import codes
from reinmaker_cli.errors import ConfigError

_KINDS = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a table",
}


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a configuration file and where it stands."""

    content: Mapping[str, Any]
    file: str
    """The file as messages show it."""
    place: str
    """`[manifest]`, or empty for the top of the file."""

    def at(self, name: str) -> str:
        """Return a member's place, as messages show it."""
        return f"{self.place} {name}".strip()

    def refuse(self, name: str, fact: str, hint: str) -> ConfigError:
        """Return the error that says what is wrong with a member."""
        return ConfigError(f"{self.file}: `{self.at(name)}` {fact}", code=codes.CONFIG_INVALID, hint=hint)

    def allow(self, known: Collection[str]) -> None:
        """Raise ConfigError at the first member whose name is not known."""
        for name in self.content:
            if name not in known:
                where = f" in {self.place}" if self.place else ""
                raise ConfigError(
                    f"{self.file}: unknown name `{name}`{where}",
                    code=codes.CONFIG_INVALID,
                    hint=did_you_mean(name, known),
                )

    def text(self, name: str) -> str | None:
        """Return a text, None where there is none; ConfigError where it is empty or not text."""
        value = self.content.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.refuse(name, f"must be text, not {kind_of(value)}", f'write {name} = "…"')
        if not value:
            raise self.refuse(name, "is empty", "give it a value, or remove the line")
        return value

    def required_text(self, name: str, *, known: Collection[str] = ()) -> str:
        """Return a text; ConfigError where there is none, or an empty one: the hint then lists the `known` ones."""
        if self.content.get(name) == "":
            raise self.refuse(name, "is empty", f"write {choice_of(name, known)}")
        value = self.text(name)
        if value is None:
            near = get_close_matches(name.lower(), [other.lower() for other in self.content], n=1)
            written = next((other for other in self.content if [other.lower()] == near), None)
            hint = f"did you mean it by `{written}`?" if written else f'add {name} = "…"'
            raise ConfigError(f"{self.file}: `{self.at(name)}` is missing", code=codes.CONFIG_INVALID, hint=hint)
        return value

    def table(self, name: str) -> Table:
        """Return a table, empty where there is none; ConfigError where it is something else."""
        value = self.content.get(name, {})
        if not isinstance(value, Mapping):
            raise self.refuse(name, f"must be a table, not {kind_of(value)}", f"write it as [{name}]")
        place = f"{self.place[:-1]}.{name}]" if self.place else f"[{name}]"
        return Table(value, self.file, place)

    def tables(self, name: str) -> tuple[Table, ...]:
        """Return the tables of a list, written `[[name]]`; places count from 1."""
        value = self.content.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
            raise self.refuse(name, "must be a list of tables", f"write each as [[{name}]]")
        return tuple(Table(item, self.file, f"[[{name}]] {number}") for number, item in enumerate(value, start=1))

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts, empty where there is none; ConfigError for empty, equal or other members."""
        value = self.content.get(name, [])
        if not isinstance(value, list):
            raise self.refuse(name, f"must be a list, not {kind_of(value)}", f'write {name} = ["…"]')
        for item in value:
            if not isinstance(item, str) or not item:
                raise self.refuse(name, "must hold texts that are not empty", f'write {name} = ["…"]')
        if len(set(value)) < len(value):
            raise self.refuse(name, "holds the same text twice", "remove one of them")
        return tuple(value)

    def text_table(self, name: str) -> dict[str, str]:
        """Return a table of texts, empty where there is none."""
        inner = self.table(name)
        return {key: inner.required_text(key) for key in inner.content}


def choice_of(name: str, known: Collection[str]) -> str:
    """Return a member as it may be written, with each of the values that are known."""
    values = " or ".join(f'"{text}"' for text in known) or '"…"'
    return f"{name} = {values}"


def refuse_not_json(value: Any, refuse: Callable[[str, str], ConfigError], depth: int = 0) -> None:
    """Raise what `refuse(fact, hint)` makes where a TOML value cannot travel in I-JSON (RFC 7493)."""
    if depth > 32:
        raise refuse("is nested more than 32 levels deep", "flatten it")
    if isinstance(value, Mapping):
        for item in value.values():
            refuse_not_json(item, refuse, depth + 1)
    elif isinstance(value, list):
        for item in value:
            refuse_not_json(item, refuse, depth + 1)
    elif isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise refuse(f"holds {value}, which JSON does not have", "use a finite number")
    elif isinstance(value, int):
        if abs(value) >= 2**53:
            raise refuse("holds a number beyond 2^53-1, which readers of JSON disagree about", "write it as text")
    elif not isinstance(value, str):
        raise refuse("holds a date or time, which JSON does not have", 'write it as text: "2026-11-23T00:00:00Z"')


def did_you_mean(name: str, known: Collection[str]) -> str:
    """Return the hint for an unknown name: the nearest known one, else all of them."""
    by_lower = {other.lower(): other for other in known}
    near = get_close_matches(name.lower(), by_lower, n=1)
    if near:
        return f"did you mean `{by_lower[near[0]]}`?"
    return f"known here: {', '.join(known)}" if known else "remove it"


def kind_of(value: Any) -> str:
    """Return what a TOML value is, in words."""
    return _KINDS.get(type(value), "a date or time")
