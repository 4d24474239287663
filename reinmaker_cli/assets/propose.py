"""What `init` writes: a folder's files -> a `reinmaker.toml` that reads them.

1. how the names are built                                  (layout.py)
2. a rule for each family of names, and lists for what varies in them
3. the text of the file                                     (proposal_text.py)
4. the proof: the text is loaded and every file matched; what does not match is left over, and listed in the file
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Final

from reinmaker_cli.assets.layout import Family, Mode, find_families, locale_of
from reinmaker_cli.assets.project import Project, project_from_document
from reinmaker_cli.assets.proposal_text import Outline, ProposedRule, toml_text, write_outline
from reinmaker_cli.assets.rules import Match, Matcher, default_type
from reinmaker_cli.assets.templates import file_fields
from reinmaker_cli.contract.names import LOCALES, PERSONAS, PRODUCTS

MAX_LIST: Final = 24  # a lesson has a handful of phases; more texts than this are no closed set

# What an image or a film is, nobody said: a proposal may guess where the person who reads it can correct it.
_GUESSED_TYPES: Final = {
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".webp", ".gif", ".svg"), "overlay"),
    **dict.fromkeys((".mp4", ".webm", ".mov"), "fx"),
    **dict.fromkeys((".aac", ".flac", ".opus"), "audio"),
    **dict.fromkeys((".gltf", ".bvh", ".usd", ".usdz"), "animation"),
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposed `reinmaker.toml`, and what it makes of the files."""

    toml: str = field(repr=False)
    matched: tuple[str, ...]
    leftovers: tuple[str, ...]
    """Files that the proposal does not read: sorted, and listed in the text."""
    patterns: tuple[str, ...]
    """The rules' patterns; empty where folder and extension decide."""
    captures: tuple[str, ...]
    """What the names say: `agePersona`, `locale`, both or neither."""
    missing: tuple[str, ...]
    """What they do not say: empty in the text, which is refused until somebody completes it."""
    is_asked: bool = False
    """Whether somebody said which product it is, and was asked for what is missing."""


Ask = Callable[[str, Sequence[str], str], str]
"""A question, the answers that are known, and the one for nothing said → the answer."""


def completed(proposal: Proposal, ask: Ask) -> Proposal:
    """Return the proposal with what no file name says, as somebody answers; an empty answer leaves it open."""
    toml = proposal.toml
    product = ask("product", PRODUCTS, PRODUCTS[0])
    toml = re.sub(r"(?m)^product = .*$", lambda _: f"product = {toml_text(product)}", toml, count=1)
    missing = []
    for name in proposal.missing:
        answer = ask(name, {"locale": LOCALES, "agePersona": PERSONAS}[name], "")
        if answer:
            toml = re.sub(rf'(?m)^{name} = "".*$', f"{name} = {toml_text(answer)}", toml, count=1)
        else:
            missing.append(name)
    return replace(proposal, toml=toml, missing=tuple(missing), is_asked=True)


def propose_project(files: Sequence[str], *, folder_name: str, today: date, ignore_leftovers: bool = False) -> Proposal:
    """Return the proposal for a folder with these files; pure.

    `ignore_leftovers` writes them under [ignore]; else they are listed there in a comment, ready to be taken in.
    """
    normal = {file: unicodedata.normalize("NFC", file) for file in sorted(files) if _is_text(file)}
    paths = [path for path in normal.values() if _type_of(path) is not None]
    mode, families = find_families(paths)
    outline = _outline(mode, families, paths, slug=slug_of(folder_name), day=date_of(folder_name) or today)
    matcher = Matcher(_load(_completed(outline), leftovers=(), ignore_leftovers=False))
    matched = tuple(file for file in normal if isinstance(matcher.match(file), Match))
    leftovers = tuple(sorted(set(files) - set(matched)))
    _load(_completed(outline), leftovers=leftovers, ignore_leftovers=ignore_leftovers)
    captures = tuple(name for name, kind in (("locale", "lang"), ("agePersona", "age")) if mode in ("both", kind))
    return Proposal(
        toml=write_outline(outline, leftovers=leftovers, ignore_leftovers=ignore_leftovers),
        matched=matched,
        leftovers=leftovers,
        patterns=tuple(rule.match for rule in outline.rules),
        captures=captures,
        missing=tuple(name for name in ("locale", "agePersona") if name not in captures),
    )


def slug_of(folder_name: str) -> str:
    """Return a folder's name as part of a manifest id: ASCII, lower case, `-` between words, without a leading date."""
    plain = unicodedata.normalize("NFKD", folder_name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    undated = re.sub(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}-?", "", slug)
    return undated[:60].strip("-") or "lesson"


def date_of(folder_name: str) -> date | None:
    """Return the date that a folder's name begins with, which then is that of its manifests' ids, or None."""
    if not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?![0-9])", folder_name):
        return None
    try:
        return date.fromisoformat(folder_name[:10])
    except ValueError:
        return None  # 2026-13-45: not a day, whatever it is


def _completed(outline: Outline) -> Outline:
    """Return the outline as its reader may complete it: what is proved of it is proved of any other value."""
    return replace(outline, locale=outline.locale or LOCALES[0], persona=outline.persona or PERSONAS[0])


def _load(outline: Outline, *, leftovers: Sequence[str], ignore_leftovers: bool) -> Project:
    text = write_outline(outline, leftovers=leftovers, ignore_leftovers=ignore_leftovers)
    return project_from_document(tomllib.loads(text), root=Path(), path=None)


def _is_text(path: str) -> bool:
    """Return whether a file's name is Unicode text; what is not, the scan refuses, and TOML cannot hold."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _outline(mode: Mode, families: Sequence[Family], paths: Sequence[str], *, slug: str, day: date) -> Outline:
    named = [(family, _names(family)) for family in families]
    texts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for family, names in named:
        for index, name in names.items():
            texts[name].update(pieces[index].text for _, pieces in family.members)
    values = {name: closed for name in sorted(texts) if (closed := _closed_set(name, texts[name]))}
    has_age, has_lang = mode in ("both", "age"), mode in ("both", "lang")
    placeholders = ("-{locale}" if has_lang else "") + ("-{agePersona}" if has_age else "")
    parts = {name for _, names in named for name in names.values() if name.startswith("part")}
    return Outline(
        slug=slug,
        id=f"{day.isoformat()}-{slug}{placeholders}",
        locale="{lang}" if has_lang else "",
        persona="{age}" if has_age else "",
        values=values,
        rules=_rules_by_place(paths) if mode == "none" else _family_rules(named),
        coverage=_coverage(named, values) if mode == "both" else {},
        parts=tuple(sorted(parts)),
    )


def _names(family: Family) -> dict[int, str]:
    """Return the capture of each piece that is one: `age`, `lang`, `phase` for the text in the file's name, `partN`.

    A text that is the same in all files stays as it is, unless it is all that the file's name says.
    """
    names: dict[int, str] = {}
    texts: list[int] = []
    last_slash = max((index for index, piece in enumerate(family.shape) if "/" in piece.text), default=-1)
    for index, piece in enumerate(family.shape):
        if piece.kind in ("age", "lang"):
            names[index] = piece.kind
        elif piece.kind == "text":
            texts.append(index)
    varying = [index for index in texts if len(family.texts_at(index)) > 1]
    in_name = [index for index in texts if index > last_slash]
    phase = next((index for index in (*(one for one in varying if one in in_name), *in_name, *varying)), None)
    for index in varying:
        if index != phase:
            names[index] = f"part{sum(name.startswith('part') for name in names.values()) + 1}"
    if phase is not None:
        names[phase] = "phase"
    return names


def _closed_set(name: str, texts: Counter[str]) -> dict[str, str]:
    """Return captured text -> value where the texts are a closed set, else nothing."""
    if name == "age":
        values = {text: text.replace("_", "-") for text in sorted(texts, key=_persona_order)}
        return {persona: persona for persona in PERSONAS} if values.keys() <= set(PERSONAS) else values
    if name == "lang":
        for whole in ([locale.split("-")[0] for locale in LOCALES], LOCALES):
            if texts.keys() <= set(whole):
                return {text: locale_of(text) for text in whole}
        return {text: locale_of(text) for text in sorted(texts)}
    if len(texts) <= MAX_LIST and min(texts.values()) > 1:
        return {text: text for text in sorted(texts)}
    return {}


def _persona_order(text: str) -> int:
    return PERSONAS.index(text.replace("_", "-"))


def _family_rules(named: Sequence[tuple[Family, dict[int, str]]]) -> tuple[ProposedRule, ...]:
    rules = tuple(_rule(family, names) for family, names in named)
    if len({"/" in rule.match for rule in rules}) < 2:
        return rules
    # Without `/` a pattern is about names at any depth, and would take the files of the others.
    return tuple(rule if "/" in rule.match else replace(rule, match=f"/{rule.match}") for rule in rules)


def _rule(family: Family, names: dict[int, str]) -> ProposedRule:
    match = ""
    for index, piece in enumerate(family.shape):
        match += f"{{{names[index]}}}" if index in names else _literal(piece.text or family.texts_at(index)[0])
    types = {_type_of(path) for path, _ in family.members}
    needs_look = any(default_type(path)[1] for path, _ in family.members)
    return ProposedRule(
        match=match,
        # Without a type, folder and extension decide for each file, and a .json is looked into.
        type=types.pop() if len(types) == 1 and not needs_look else None,
        is_guess=any(default_type(path)[0] is None for path, _ in family.members),
        metadata={"phase": "{phase}"} if "phase" in names.values() else {},
        example=family.members[0][0],
        count=len(family.members),
    )


def _rules_by_place(paths: Sequence[str]) -> tuple[ProposedRule, ...]:
    """Return no rule where folder and extension say every type; else one a folder for what they do not say."""
    guessed: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for path in paths:
        if default_type(path)[0] is None:
            fields = file_fields(path)
            guessed[fields["dir"], fields["ext"]].append(path)
    if not guessed:
        return ()
    rules = [
        ProposedRule(f"/{_literal(folder)}*{_literal(extension)}", _type_of(of[0]), True, {}, of[0], len(of))
        for (folder, extension), of in sorted(guessed.items())
    ]
    said = [path for path in paths if default_type(path)[0] is not None]
    if said:
        rules.append(ProposedRule("*", None, False, {}, said[0], len(said)))
    return tuple(rules)


def _literal(text: str) -> str:
    # A pattern has no escape for these three; any one character is the nearest.
    return re.sub(r"[*?\\]", "?", text).replace("{", "{{").replace("}", "}}")


def _type_of(path: str) -> str | None:
    asset_type, _ = default_type(path)
    return asset_type or _GUESSED_TYPES.get(file_fields(path)["ext"].lower())


def _coverage(
    named: Iterable[tuple[Family, dict[int, str]]], values: dict[str, dict[str, str]]
) -> dict[str, tuple[str, ...]]:
    """Return the locales that every persona has, and the personas that every locale has, where none has more."""
    pairs: set[tuple[str, str]] = set()
    for family, names in named:
        where = {name: index for index, name in names.items()}
        for _, pieces in family.members:
            pairs.add(
                (values["lang"][pieces[where["lang"]].text], values["age"][pieces[where["age"]].text]),
            )
    locales = sorted({locale for locale, _ in pairs}, key=LOCALES.index)
    personas = sorted({persona for _, persona in pairs}, key=PERSONAS.index)
    if len(pairs) < len(locales) * len(personas):
        return {}
    covered = {"locale": tuple(locales), "agePersona": tuple(personas)}
    return {name: texts for name, texts in covered.items() if len(texts) > 1}
