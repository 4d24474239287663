"""What the completion scripts look up while they run: environments and manifest ids, read by the shell itself.

Environments stand in the user's config.toml and the project's reinmaker.toml. The ids that commands have seen are kept
in one small file of the user's cache folder, a line each. Nothing else is started for a TAB, so it answers at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from reinmaker_cli.contract.rules import MANIFEST_ID_PATTERN

ENVIRONMENTS: Final = "environments"
MANIFESTS: Final = "manifests"
"""What is looked up; the second is the name of the file too."""

MAX_KEPT: Final = 500

BASH: Final = r"""
_reinmaker_environments() {
  local file line pattern='^\[env\.([A-Za-z0-9_-]+)\]'
  local -a files=("$HOME/.config/reinmaker/config.toml" "$HOME/Library/Application Support/reinmaker/config.toml")
  [[ -n "${XDG_CONFIG_HOME:-}" ]] && files=("$XDG_CONFIG_HOME/reinmaker/config.toml")
  [[ -n "${REINMAKER_CONFIG:-}" ]] && files=("$REINMAKER_CONFIG")
  for file in "${files[@]}" reinmaker.toml; do
    [[ -r "$file" ]] || continue
    while IFS= read -r line || [[ -n "$line" ]]; do
      [[ "$line" =~ $pattern && "${BASH_REMATCH[1]}" == "$1"* ]] && COMPREPLY+=("${BASH_REMATCH[1]}")
    done < "$file"
  done
}
_reinmaker_manifests() {
  local file line
  for file in "${XDG_CACHE_HOME:-$HOME/.cache}/reinmaker/manifests" "$HOME/Library/Caches/reinmaker/manifests"; do
    [[ -r "$file" ]] || continue
    while IFS= read -r line; do
      [[ "$line" == "$1"* && "$line" != *[^A-Za-z0-9._-]* ]] && COMPREPLY+=("$line")
    done < "$file"
  done
}
"""

ZSH: Final = r"""
_reinmaker_environments() {
  setopt localoptions extendedglob
  local file line
  local -a files=("$HOME/.config/reinmaker/config.toml" "$HOME/Library/Application Support/reinmaker/config.toml")
  [[ -n "$XDG_CONFIG_HOME" ]] && files=("$XDG_CONFIG_HOME/reinmaker/config.toml")
  [[ -n "$REINMAKER_CONFIG" ]] && files=("$REINMAKER_CONFIG")
  for file in $files reinmaker.toml; do
    [[ -r "$file" ]] || continue
    for line in ${(f)"$(<$file)"}; do
      [[ "$line" == (#b)'[env.'([A-Za-z0-9_-]##)']'* ]] && choices+=("$match[1]")
    done
  done
}
_reinmaker_manifests() {
  setopt localoptions extendedglob
  local file
  for file in "${XDG_CACHE_HOME:-$HOME/.cache}/reinmaker/manifests" "$HOME/Library/Caches/reinmaker/manifests"; do
    [[ -r "$file" ]] && choices+=(${(M)${(f)"$(<$file)"}:#[A-Za-z0-9._-]#})
  done
}
"""

FISH: Final = r"""
function __reinmaker_environments --description 'names of [env.NAME] in the configuration files'
  set -l files $HOME/.config/reinmaker/config.toml "$HOME/Library/Application Support/reinmaker/config.toml"
  set -q XDG_CONFIG_HOME; and set files $XDG_CONFIG_HOME/reinmaker/config.toml
  set -q REINMAKER_CONFIG; and set files $REINMAKER_CONFIG
  for file in $files reinmaker.toml
    test -r $file; and string replace -rf '^\[env\.([A-Za-z0-9_-]+)\].*' '$1' <$file
  end
end
function __reinmaker_manifests --description 'manifest ids that commands have seen'
  set -l folder $HOME/.cache
  set -q XDG_CACHE_HOME; and set folder $XDG_CACHE_HOME
  for file in $folder/reinmaker/manifests $HOME/Library/Caches/reinmaker/manifests
    test -r $file; and string match -r '^[A-Za-z0-9._-]+$' <$file
  end
end
"""

POWERSHELL: Final = r"""
function __reinmaker_environments {
  $files = @("$env:LOCALAPPDATA\reinmaker\config.toml", "$HOME/.config/reinmaker/config.toml")
  if ($env:XDG_CONFIG_HOME) { $files = @("$env:XDG_CONFIG_HOME/reinmaker/config.toml") }
  if ($env:REINMAKER_CONFIG) { $files = @($env:REINMAKER_CONFIG) }
  foreach ($file in $files + 'reinmaker.toml') {
    if (Test-Path -PathType Leaf $file) {
      Get-Content $file | ForEach-Object { if ($_ -match '^\[env\.([A-Za-z0-9_-]+)\]') { $Matches[1] } }
    }
  }
}
function __reinmaker_manifests {
  $cache = if ($env:XDG_CACHE_HOME) { $env:XDG_CACHE_HOME } else { "$HOME/.cache" }
  foreach ($file in "$env:LOCALAPPDATA\reinmaker\Cache\manifests", "$cache/reinmaker/manifests") {
    if (Test-Path -PathType Leaf $file) { Get-Content $file | Where-Object { $_ -match '^[A-Za-z0-9._-]+$' } }
  }
}
"""


def remember_manifests(ids: Iterable[str], cache_folder: Path) -> None:
    """Keep the ids for completion, the newest first; raises OSError where there is no place for them."""
    fresh = [name for name in dict.fromkeys(ids) if MANIFEST_ID_PATTERN.fullmatch(name)]  # nothing a shell could obey
    file = cache_folder / MANIFESTS
    kept = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.exists() else []
    wanted = list(dict.fromkeys([*fresh, *kept]))[:MAX_KEPT]
    if set(fresh) <= set(kept):  # seen before: not worth a write
        return
    cache_folder.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{MANIFESTS}.{id(wanted):x}")
    beside.touch(mode=0o600)
    beside.write_text("".join(f"{name}\n" for name in wanted), encoding="utf-8")
    beside.replace(file)
