"""`edgebert completion`: what a shell offers after <Tab>, written out from the flags themselves."""

import argparse
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field

HELP = "print the completion of edgebert's commands and flags for a shell"
EXAMPLES = """\
  source <(edgebert completion bash)                             for this terminal
  edgebert completion bash > ~/.local/share/bash-completion/completions/edgebert
  source <(edgebert completion zsh)                              in ~/.zshrc, after compinit"""


@dataclass
class Words:
    """Of one command: what may stand next, and after which flag which values."""

    options: list[str] = field(default_factory=list)
    values: dict[str, list[str]] = field(default_factory=dict)
    # Flags after which anything may stand.
    takes_value: list[str] = field(default_factory=list)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=tuple(SHELLS), help="whose completion")


def run(arguments: argparse.Namespace) -> int:
    from edgebert.cli import build_parser

    print(SHELLS[arguments.shell](dict(_commands(build_parser(), ""))), end="")
    return 0


def _commands(parser: argparse.ArgumentParser, path: str) -> Iterator[tuple[str, Words]]:
    """Of the parser and all below it, by the words that lead there."""
    words, below = Words(), []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            words.options += action.choices
            below += action.choices.items()
        elif not action.option_strings:
            words.options += action.choices or ()
        elif action.help is not argparse.SUPPRESS:
            words.options += action.option_strings
            if action.nargs != 0:
                words.takes_value += action.option_strings
                words.values |= {name: list(action.choices) for name in action.option_strings if action.choices}
    yield path, words
    for name, one in below:
        yield from _commands(one, f"{path} {name}".strip())


def _bash(commands: dict[str, Words]) -> str:
    return f"""\
_edgebert() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD - 1]}}"
    local word path="" options="" values=""
    # zsh takes a letter behind the colon for a modifier.
    for word in "${{COMP_WORDS[@]:1:$((COMP_CWORD - 1))}}"; do
        case "$word" in -*) continue ;; esac
        if _edgebert_knows "${{path:+$path }}$word"; then path="${{path:+$path }}$word"; fi
    done
    _edgebert_options "$path"
    _edgebert_values "$path $previous"
    # Where anything may stand, the shell offers files.
    COMPREPLY=()
    if [ "$values" != - ]; then COMPREPLY=($(compgen -W "${{values:-$options}}" -- "$current")); fi
}}
{_tables(commands)}
complete -o default -F _edgebert edgebert
"""


def _zsh(commands: dict[str, Words]) -> str:
    # zsh brings along what runs bash's completions.
    return f"autoload -U +X bashcompinit && bashcompinit\n{_bash(commands)}"


def _tables(commands: dict[str, Words]) -> str:
    known = " | ".join(shlex.quote(path) for path in commands if path)
    options = [
        f"        {shlex.quote(path)}) options={shlex.quote(' '.join(one.options))} ;;"
        for path, one in commands.items()
    ]
    values = []
    for path, one in commands.items():
        for name, allowed in one.values.items():
            values.append(f"        {shlex.quote(f'{path} {name}')}) values={shlex.quote(' '.join(allowed))} ;;")
        if free := [name for name in one.takes_value if name not in one.values]:
            values.append(f"        {' | '.join(shlex.quote(f'{path} {name}') for name in free)}) values=- ;;")
    functions = (
        ("_edgebert_knows", [f"        {known}) return 0 ;;", "        *) return 1 ;;"]),
        ("_edgebert_options", options),
        ("_edgebert_values", values),
    )
    return "\n".join(
        "\n".join([f"{name}() {{", '    case "$1" in', *cases, "    esac", "}"]) for name, cases in functions
    )


SHELLS = {"bash": _bash, "zsh": _zsh}
