"""What a real shell offers, with the script as a user loads it."""

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgebert.cli import COMMANDS, build_parser, main
from edgebert.errors import MeasurementError
from tests.caching import kept_cache
from tests.debian import library_path, unpacked
from tests.lacking import skip_for_lack

# In Debian 12 and in what follows it.
ZSH_BINARIES = ("bin/zsh", "usr/bin/zsh")

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


@pytest.fixture(scope="module")
def zsh(pytestconfig: pytest.Config) -> tuple[str, dict[str, str], str]:
    """The binary, the variables it needs, and what must be said to it first."""
    if found := shutil.which("zsh"):
        return found, {}, ""
    with kept_cache(pytestconfig):
        try:
            tree = unpacked("zsh", ("zsh",))
        except MeasurementError as error:
            skip_for_lack(f"no zsh ({error})")
    functions = sorted({str(path.parent) for path in (tree / "usr/share/zsh/functions").rglob("*") if path.is_file()})
    (modules,) = (path.parent.parent for path in tree.glob("usr/lib/*/zsh/*/zsh/complete.so"))
    variables = {"LD_LIBRARY_PATH": library_path(tree), "FPATH": ":".join(functions)}
    binary = next(tree / name for name in ZSH_BINARIES if (tree / name).exists())
    return str(binary), variables, f"module_path=({modules})"


@pytest.mark.long
def test_zsh_completes_what_is_typed(zsh: tuple[str, dict[str, str], str], tmp_path: Path) -> None:
    binary, variables, before = zsh
    (tmp_path / "edgebert.zsh").write_text(script_for("zsh"))
    typed = f"{before}; autoload -U compinit && compinit -u -D; source edgebert.zsh; PS1='ready '\n"
    main_side, shell_side = pty.openpty()
    environment = {**os.environ, **variables, "TERM": "dumb", "HOME": str(tmp_path)}
    shell = subprocess.Popen(
        [binary, "-f", "-i"], stdin=shell_side, stdout=shell_side, stderr=shell_side, cwd=tmp_path, env=environment
    )
    os.close(shell_side)
    try:
        os.write(main_side, typed.encode())
        read_until(main_side, "\rready ")
        # In the command's place, one that tells the line as zsh has completed it.
        os.write(main_side, b"edgebert() { print -r -- told: $* }\n")
        read_until(main_side, "\rready ")
        os.write(main_side, b"edgebert quanti\t--calibration-t\t7 --arith\tbf\t\n")
        assert "told: quantize --calibration-texts 7 --arithmetic bfloat16\r" in read_until(
            main_side, "told: ", "\rready "
        )
    finally:
        shell.kill()
        shell.wait()
        os.close(main_side)


def read_until(terminal: int, *words: str, seconds: float = 60) -> str:
    """What the terminal shows until `words` have come, each behind the one before."""
    shown, begin, deadline = "", 0, time.monotonic() + seconds
    for word in words:
        while word not in shown[begin:]:
            ready, _, _ = select.select([terminal], [], [], max(deadline - time.monotonic(), 0))
            assert ready, f"{word!r} never came; the terminal shows {shown!r}"
            shown += os.read(terminal, 4096).decode()
        begin = shown.index(word, begin) + len(word)
    return shown
