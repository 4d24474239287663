"""The completion scripts, written from the command tree. Each is complete in itself and starts nothing.

What is not fixed is looked up in small files by the functions of completion_values.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from reinmaker_cli.cli import completion_values, tree
from reinmaker_cli.cli.completion_tree import Leaf, Option, leaves

_HEADER = "# Completion of reinmaker for {0}; written by `reinmaker completion {0}`."


def completion_script(shell: str) -> str:
    """Return the script for `bash`, `zsh`, `fish` or `powershell`."""
    writers = {"bash": _bash, "zsh": _zsh, "fish": _fish, "powershell": _powershell}
    return "\n".join([*writers[shell](leaves())]) + "\n"


def _groups() -> Iterator[tuple[str, list[str]]]:
    yield "", tree.children()
    for group in tree.GROUPS:
        yield group, tree.children(group)


def _looked_up(all_leaves: tuple[Leaf, ...]) -> dict[str, str]:
    """Return the options whose values are looked up too, and what."""
    options = (option for leaf in all_leaves for option in leaf.options if option.looked_up)
    return {word: option.looked_up for option in options for word in option.words}


def _value_options(all_leaves: tuple[Leaf, ...]) -> tuple[dict[str, tuple[str, ...]], list[str], list[str]]:
    """Return the options with values to offer, those whose value is a file or folder, and those of free text."""
    offered: dict[str, tuple[str, ...]] = {}
    paths: dict[str, None] = {}
    free: dict[str, None] = {}
    for leaf in all_leaves:
        for option in leaf.options:
            for word in option.words if option.takes_value else ():
                if option.choices:
                    offered[word] = option.choices
                else:
                    (paths if option.takes_path else free)[word] = None
    return offered, list(paths), [word for word in free if word not in paths and word not in offered]


def _words_of(leaf: Leaf) -> list[str]:
    return [word for option in leaf.options for word in option.words] + ["--help"]


def _bash(all_leaves: tuple[Leaf, ...]) -> Iterator[str]:
    offered, paths, free = _value_options(all_leaves)
    yield _HEADER.format("bash")
    yield "# Load it with: source <(reinmaker completion bash)"
    yield completion_values.BASH.strip()
    looked_up = _looked_up(all_leaves)
    yield "_reinmaker() {"
    yield '  local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" verb="" words="" flags=""'
    yield '  local looked_up="" takes_path=""'
    yield "  COMPREPLY=()"
    yield '  ((COMP_CWORD > 1)) && verb="${COMP_WORDS[1]}"'
    yield '  case "$verb" in'
    yield f'    {"|".join(tree.GROUPS)}) ((COMP_CWORD > 2)) && verb+=" ${{COMP_WORDS[2]}}" ;;'
    yield "  esac"
    yield '  case "$previous" in'
    for word, values in offered.items():
        more = f' _reinmaker_{looked_up[word]} "$current";' if word in looked_up else ""
        yield f"    {word}) COMPREPLY=($(compgen -W '{' '.join(values)}' -- \"$current\"));{more} return ;;"
    yield f'    {"|".join(paths)}) COMPREPLY=($(compgen -f -- "$current")); return ;;'
    yield f"    {'|'.join(free)}) return ;;"
    yield "  esac"
    yield '  case "$verb" in'
    for group, words in _groups():
        extra = " --version --help" if not group else " --help"
        yield f"    '{group}') words='{' '.join(words)}{extra}' ;;"
    for leaf in all_leaves:
        choices = f" words='{' '.join(leaf.choices)}'" if leaf.choices else ""
        more = f" looked_up={leaf.looked_up}" if leaf.looked_up else ""
        more += " takes_path=1" if leaf.takes_path else ""
        yield f"    '{leaf.name}') flags='{' '.join(_words_of(leaf))}'{choices}{more} ;;"
    yield "  esac"
    yield '  if [[ "$current" == -* && -n "$flags" ]]; then'
    yield '    COMPREPLY=($(compgen -W "$flags" -- "$current"))'
    yield '  elif [[ -n "$words" ]]; then'
    yield '    COMPREPLY=($(compgen -W "$words" -- "$current"))'
    yield "  else"
    yield '    [[ -n "$takes_path" ]] && COMPREPLY=($(compgen -f -- "$current"))'
    yield '    [[ -n "$looked_up" ]] && "_reinmaker_$looked_up" "$current"'
    yield "  fi"
    yield "}"
    yield "complete -o filenames -F _reinmaker reinmaker"


def _described(word: str, text: str) -> str:
    """Return `word:text` quoted for zsh."""
    plain = text.replace("\\", "\\\\").replace("'", "'\\''").replace(":", "\\:")
    return f"'{word.replace(':', chr(92) + ':')}:{plain}'"


def _zsh(all_leaves: tuple[Leaf, ...]) -> Iterator[str]:
    offered, paths, free = _value_options(all_leaves)
    yield "#compdef reinmaker"
    yield _HEADER.format("zsh")
    yield "# Load it with: source <(reinmaker completion zsh), or save it as _reinmaker in a folder of $fpath"
    yield completion_values.ZSH.strip()
    looked_up = _looked_up(all_leaves)
    yield "_reinmaker() {"
    yield "  local verb='' looked_up='' takes_path=''"
    yield "  local -a flags choices"
    yield '  ((CURRENT > 2)) && verb="${words[2]}"'
    yield '  case "$verb" in'
    yield f'    {"|".join(tree.GROUPS)}) ((CURRENT > 3)) && verb+=" ${{words[3]}}" ;;'
    yield "  esac"
    yield '  case "${words[CURRENT-1]}" in'
    for word, values in offered.items():
        more = f" _reinmaker_{looked_up[word]};" if word in looked_up else ""
        yield f"    {word}) choices=({' '.join(values)});{more} _describe 'value' choices; return ;;"
    yield f"    {'|'.join(paths)}) _files; return ;;"
    yield f"    {'|'.join(free)}) return ;;"
    yield "  esac"
    yield '  case "$verb" in'
    for group, words in _groups():
        items = " ".join(_described(word, tree.summary(f"{group} {word}".lstrip())) for word in words)
        yield f"    '{group}') choices=({items}); _describe 'command' choices; return ;;"
    for leaf in all_leaves:
        flags = " ".join(_described(word, option.help) for option in leaf.options for word in option.words)
        chosen = f" choices=({' '.join(leaf.choices)})" if leaf.choices else ""
        more = f" looked_up={leaf.looked_up}" if leaf.looked_up else ""
        more += " takes_path=1" if leaf.takes_path else ""
        yield f"    '{leaf.name}') flags=({flags} '--help:show help');{chosen}{more} ;;"
    yield "  esac"
    yield '  if [[ "${words[CURRENT]}" == -* ]]; then'
    yield "    _describe -o 'option' flags"
    yield "  elif ((${#choices})); then"
    yield "    _describe 'value' choices"
    yield "  else"
    yield '    [[ -n "$looked_up" ]] && "_reinmaker_$looked_up"'
    yield "    ((${#choices})) && _describe 'value' choices"
    yield '    [[ -n "$takes_path" ]] && _files'
    yield "  fi"
    yield "}"
    yield "compdef _reinmaker reinmaker"


def _fish_text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _fish(all_leaves: tuple[Leaf, ...]) -> Iterator[str]:
    yield _HEADER.format("fish")
    yield "# Save it as ~/.config/fish/completions/reinmaker.fish"
    yield "function __reinmaker_at --description 'the words so far are exactly these'"
    yield "  set -l typed (commandline -opc)"
    yield '  test "$typed[2..]" = "$argv"'
    yield "end"
    yield "function __reinmaker_in --description 'the words so far start with this verb'"
    yield "  set -l typed (commandline -opc)"
    yield "  set -l last (math 1 + (count $argv))"
    yield '  test (count $typed) -ge $last; and test "$typed[2..$last]" = "$argv"'
    yield "end"
    yield completion_values.FISH.strip()
    yield "complete -c reinmaker -n '__reinmaker_at' -f -l version -d 'print the version'"
    for group, words in _groups():
        condition = f"'__reinmaker_at {group}'" if group else "'__reinmaker_at'"
        for word in words:
            text = _fish_text(tree.summary(f"{group} {word}".lstrip()))
            yield f"complete -c reinmaker -n {condition} -f -a {word} -d {text}"
    for leaf in all_leaves:
        condition = f"'__reinmaker_in {leaf.name}'"
        if leaf.choices:
            yield f"complete -c reinmaker -n {condition} -f -a '{' '.join(leaf.choices)}'"
        elif not leaf.takes_path:
            yield f"complete -c reinmaker -n {condition} -f"
        if leaf.looked_up:
            yield f"complete -c reinmaker -n {condition} -a '(__reinmaker_{leaf.looked_up})'"
        for option in leaf.options:
            yield f"complete -c reinmaker -n {condition} {_fish_option(option)} -d {_fish_text(option.help)}"


def _fish_option(option: Option) -> str:
    parts = [f"-l {word[2:]}" if word.startswith("--") else f"-s {word[1:]}" for word in option.words]
    if option.choices:
        more = f" (__reinmaker_{option.looked_up})" if option.looked_up else ""
        parts.append(f"-x -a '{' '.join(option.choices)}{more}'")
    elif option.takes_value:
        parts.append("-r -F" if option.takes_path else "-x")
    return " ".join(parts)


def _ps_list(words: tuple[str, ...] | list[str]) -> str:
    return "@(" + ", ".join("'" + word.replace("'", "''") + "'" for word in words) + ")"


def _powershell(all_leaves: tuple[Leaf, ...]) -> Iterator[str]:
    offered, *_ = _value_options(all_leaves)
    yield _HEADER.format("powershell")
    yield "# Load it with: reinmaker completion powershell | Out-String | Invoke-Expression"
    yield completion_values.POWERSHELL.strip()
    yield "Register-ArgumentCompleter -Native -CommandName reinmaker -ScriptBlock {"
    yield "  param($current, $ast, $position)"
    yield "  $words = @{"
    for group, words in _groups():
        yield f"    '{group}' = {_ps_list(words)}"
    for leaf in all_leaves:
        yield f"    '{leaf.name}' = {_ps_list([*leaf.choices, *_words_of(leaf)])}"
    yield "  }"
    yield "  $values = @{"
    for word, values in offered.items():
        yield f"    '{word}' = {_ps_list(values)}"
    yield "  }"
    yield "  $typed = @($ast.CommandElements | Select-Object -Skip 1 | ForEach-Object { $_.ToString() })"
    yield "  if ($current) { $typed = @($typed | Select-Object -SkipLast 1) }"
    yield "  $verb = ''"
    yield "  foreach ($word in $typed) {"
    yield '    $longer = "$verb $word".Trim()'
    yield "    if ($words.ContainsKey($longer)) { $verb = $longer } else { break }"
    yield "  }"
    yield "  $offer = $words[$verb]"
    for leaf in all_leaves:
        if leaf.looked_up:
            yield f"  if ($verb -eq '{leaf.name}') {{ $offer += @(__reinmaker_{leaf.looked_up}) }}"
    yield "  if ($typed.Count -gt 0 -and $values.ContainsKey($typed[-1])) {"
    yield "    $offer = $values[$typed[-1]]"
    for word, what in _looked_up(all_leaves).items():
        yield f"    if ($typed[-1] -ceq '{word}') {{ $offer += @(__reinmaker_{what}) }}"
    yield "  }"
    yield '  $offer | Where-Object { $_ -like "$current*" } | ForEach-Object {'
    yield "    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)"
    yield "  }"
    yield "}"
