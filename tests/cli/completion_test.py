"""What a real shell offers, with the script as a user loads it."""

import shutil
import subprocess
import sys

import pytest

from edgebert.cli import COMMANDS, build_parser, main

# As readline calls a completion: the words, which of them the cursor is in, then what was found.
OFFER = """
{load}
COMP_WORDS=({words})
COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_edgebert
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def script_for(shell: str) -> str:
    command = [sys.executable, "-m", "edgebert.cli", "completion", shell]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def script() -> str:
    return script_for("bash")


def offered(script: str, *words: str) -> set[str]:
    code = OFFER.format(load=script, words=" ".join(f"'{word}'" for word in ("edgebert", *words)))
    ran = subprocess.run(["bash", "-u", "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0 and ran.stderr == "", ran.stderr
    return set(ran.stdout.split())


def test_a_command_is_offered_by_its_beginning(script: str) -> None:
    assert offered(script, "") >= set(COMMANDS) | {"--version"}
    assert offered(script, "dist") == {"distill", "distill-text"}
    assert offered(script, "zzz") == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_flag_of_every_command_is_offered(script: str, command: str) -> None:
    (subparsers,) = [action for action in build_parser()._actions if action.dest == "command"]
    flags = {flag for action in subparsers.choices[command]._actions for flag in action.option_strings}
    assert offered(script, command, "--") == {flag for flag in flags if flag.startswith("--")}


def test_values_come_after_their_flag_and_files_after_a_free_one(script: str) -> None:
    assert offered(script, "compress", "--importance", "") == {"taylor", "magnitude", "random"}
    assert offered(script, "compress", "--run", "x", "--importance", "m") == {"magnitude"}
    assert "distill" in offered(script, "compress", "--from", "")
    # Nothing of ours: `complete -o default` then offers files.
    assert offered(script, "compress", "--run", "") == set()
    assert "--quiet" in offered(script, "compress", "--dry-run", "--q")


def test_commands_below_commands_and_words_of_a_choice(script: str) -> None:
    assert {"list", "install"} <= offered(script, "clients", "")
    assert offered(script, "completion", "") >= {"bash", "zsh"}


def test_bash_itself_calls_it(script: str, tmp_path) -> None:
    """The registration too: `compopt`, `complete -p` and the function by its name."""
    code = f"{script}\ncomplete -p edgebert"
    ran = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "complete -o default -F _edgebert edgebert"


def test_zsh_loads_it_and_has_the_same_function(capsys: pytest.CaptureFixture[str], script: str) -> None:
    assert main(["completion", "zsh"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("autoload -U +X bashcompinit && bashcompinit\n") and shown.endswith(script)


def test_zsh_reads_the_script() -> None:
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed")
    code = f"autoload -U compinit && compinit -u\n{script_for('zsh')}\nprint $+functions[_edgebert]"
    ran = subprocess.run(["zsh", "-f", "-c", code], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout.strip()) == (0, "1"), ran.stderr
