"""What mkdocs is told beside `mkdocs.yml`: pages that lie beside docs/, and links that lead to them.

In the repository the README links to `docs/x.md` and the pages to `../README.md`, which is right there; on the site
all of them are pages in one folder.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parent.parent
PAGES = {"README.md": "index.md", "SECURITY.md": "security.md", "CHANGELOG.md": "changelog.md", "LICENSE": "LICENSE"}
"""File beside docs/ → its place on the site."""
CONTRACT = "reinmaker_cli/contract/"


def on_files(files: Any, config: Any) -> Any:
    """Add what lies beside docs/."""
    contract = {f"{CONTRACT}{file.name}": f"contract/{file.name}" for file in (ROOT / CONTRACT).glob("*.[yj][as]*")}
    for source, place in {**PAGES, **contract}.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let the links of a page lead where things are on the site."""
    is_beside = page.file.src_uri in PAGES.values()

    def moved(link: re.Match[str]) -> str:
        target = link["target"]
        if is_beside:
            target = PAGES.get(target, target.removeprefix("docs/"))
        else:
            target = PAGES.get(target.removeprefix("../"), target)
        return f"]({target.removeprefix('../').replace(CONTRACT, 'contract/')}{link['anchor'] or ''})"

    return re.sub(r"\]\((?P<target>[^)#:\s]+)(?P<anchor>#[^)]*)?\)", moved, markdown)
