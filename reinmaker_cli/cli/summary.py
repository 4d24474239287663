"""`reinmaker scan --summary`: what the folders hold by type and locale, and which persona lacks which locale."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reinmaker_cli.cli.pictures import BAR_COLUMNS, LEAST_BAR_COLUMNS, SIZE_COLUMNS, bar, matrix_lines
from reinmaker_cli.cli.text import counted, human_size

if TYPE_CHECKING:
    from reinmaker_cli.assets.project import Project
    from reinmaker_cli.assets.scan import Scan
    from reinmaker_cli.cli.output import Output

PERSONA, LOCALE = "agePersona", "locale"
MAX_HOLES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of a scan; where a folder has no reinmaker.toml only those by type."""

    types: dict[str, tuple[int, int]]
    """Type → assets and bytes, in alphabetical order."""
    locales: dict[str, tuple[int, int]]
    personas: tuple[str, ...]
    held: dict[tuple[str, str], int]
    """Persona and locale → assets."""

    @property
    def holes(self) -> list[tuple[str, str]]:
        """Pairs of persona and locale that have nothing, although each of the two has something, or should have."""
        return [(one, locale) for one in self.personas for locale in self.locales if not self.held.get((one, locale))]

    def to_json(self) -> dict[str, Any]:
        """Return the member `summary` of the document."""
        return {
            "types": [{"type": name, "count": count, "bytes": size} for name, (count, size) in self.types.items()],
            "locales": [
                {"locale": name, "count": count, "bytes": size} for name, (count, size) in self.locales.items()
            ],
            "personas": list(self.personas),
            "matrix": [
                {"agePersona": one, "locale": locale, "count": self.held.get((one, locale), 0)}
                for one in self.personas
                for locale in self.locales
            ],
        }


def summarise(scanned: Sequence[tuple[Project, Scan]], environment: str) -> Summary:
    """Return the counts of all folders together. What [coverage] asks for is there, also with nothing."""
    from reinmaker_cli.manifest.assemble import assemble

    types: Counter[str] = Counter()
    sizes: Counter[tuple[str, str]] = Counter()
    locales: Counter[str] = Counter()
    held: Counter[tuple[str, str]] = Counter()
    personas: dict[str, None] = {}
    for project, scan in scanned:
        for asset in scan.assets:
            types[asset.type] += 1
            sizes["type", asset.type] += asset.bytes
        locales.update(dict.fromkeys(project.coverage.get(LOCALE, ()), 0))
        personas |= dict.fromkeys(project.coverage.get(PERSONA, ()))
        for draft in assemble(scan, project, environment=environment).drafts if project.id else ():
            persona, locale = str(draft.source.get(PERSONA, "")), str(draft.source.get(LOCALE, ""))
            personas[persona] = None
            held[persona, locale] += len(draft.assets)
            locales[locale] += len(draft.assets)
            sizes["locale", locale] += sum(asset.bytes for asset in draft.assets)
    return Summary(
        {name: (types[name], sizes["type", name]) for name in sorted(types)},
        {name: (locales[name], sizes["locale", name]) for name in sorted(locales)},
        tuple(sorted(personas, key=_by_age)),
        dict(held),
    )


def _by_age(persona: str) -> tuple[int, str]:
    first = persona.split("-")[0]
    return (int(first) if first.isdecimal() else 1000, persona)


def show_summary(output: Output, summary: Summary) -> None:
    """Show the counts: with bars and a matrix at a terminal, as plain columns elsewhere."""
    _show_counts(output, "type", summary.types)
    if not summary.locales:
        return
    output.data("")
    _show_counts(output, "locale", summary.locales)
    columns = output.columns
    output.data("")
    if columns is not None:
        output.data(*matrix_lines("persona", summary.personas, list(summary.locales), summary.held, columns))
    else:
        rows = [
            [one, *(str(summary.held.get((one, locale)) or "-") for locale in summary.locales)]
            for one in summary.personas
        ]
        right = frozenset(range(1, len(summary.locales) + 1))
        output.table([["persona", *summary.locales], *rows], right=right)
    _show_places(output, "hole", [f"{persona} {locale}" for persona, locale in summary.holes])
    most = max(summary.held.values(), default=0)
    few = [f"{one} {locale} has {count} of {most}" for (one, locale), count in summary.held.items() if count < most]
    _show_places(output, "place with less than the others", few, "places with less than the others")


def _show_places(output: Output, what: str, places: Sequence[str], plural: str = "") -> None:
    if places:
        more = f", and {len(places) - MAX_HOLES_SHOWN} more" if len(places) > MAX_HOLES_SHOWN else ""
        output.data(f"{counted(len(places), what, plural)}: {', '.join(places[:MAX_HOLES_SHOWN])}{more}")


def _show_counts(output: Output, what: str, counts: dict[str, tuple[int, int]]) -> None:
    columns, largest = output.columns, max((size for _, size in counts.values()), default=0)
    names = max((len(name) for name in (what, *counts)), default=0)
    room = min(0 if columns is None else columns - names - SIZE_COLUMNS - 20, BAR_COLUMNS)
    rows = [
        [name, counted(count, "asset"), human_size(size), bar(size, largest, room) if room >= LEAST_BAR_COLUMNS else ""]
        for name, (count, size) in counts.items()
    ]
    output.table(rows, head=(what, "assets", "size", ""), right=frozenset({1, 2}))
