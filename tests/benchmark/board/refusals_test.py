"""What OpenSSH 9.2 and shells really print, each in a line that says what to do. Recorded with a real sshd."""

import shlex

import pytest

from edgebert.benchmark.board import connection
from edgebert.benchmark.board.connection import Connection
from edgebert.benchmark.board.target import Target
from edgebert.errors import MeasurementError
from tests.benchmark.board.conftest import StandIn
from tests.data.house_form import assert_house_form

CHANGED = """\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
Someone could be eavesdropping on you right now (man-in-the-middle attack)!
It is also possible that a host key has just been changed.
The fingerprint for the ED25519 key sent by the remote host is
SHA256:XniC/Hl8shqPbl0ycmySi1ogLpFx+8IUs1mk7cffPIo.
Please contact your system administrator.
Add correct host key in /home/me/.ssh/known_hosts to get rid of this message.
Offending ED25519 key in /home/me/.ssh/known_hosts:1
  remove with:
  ssh-keygen -f "/home/me/.ssh/known_hosts" -R "[127.0.0.1]:2299"
Host key for [127.0.0.1]:2299 has changed and you have requested strict checking.
Host key verification failed.
"""
STRICT = """\
No ED25519 host key is known for [127.0.0.1]:2299 and you have requested strict checking.
Host key verification failed.
"""
ADDED = "Warning: Permanently added 'board' (ED25519) to the list of known hosts.\n"
UNREACHABLE = "expected a board that answers on ssh's port"
SHUT = "expected sshd to let us in"
NO_PYTHON = "expected python3 (3.10 or newer) on the board"


def refusal(ssh: StandIn, said: str, status: int, target: Target | None = None) -> str:
    ssh(f"printf %s {shlex.quote(said)} >&2; exit {status}")
    with pytest.raises(MeasurementError) as caught:
        Connection(target or Target("pi@board"))
    assert_house_form(str(caught.value))
    return str(caught.value)


@pytest.mark.parametrize(
    ("said", "expected", "got"),
    [
        (CHANGED, "expected the host key that this machine knows", "REMOTE HOST IDENTIFICATION HAS CHANGED"),
        ("Host key verification failed.\n", "expected a host key that this machine knows", "verification failed"),
        (STRICT, "expected a host key that this machine knows", "No ED25519 host key is known"),
        ("pi@board: Permission denied (publickey,password).\n", "expected a login that needs no password", "denied"),
        ("Received disconnect from ::1 port 22:2: Too many authentication failures\n", "needs no password", "Too many"),
        (
            "ssh: Could not resolve hostname board: Name or service not known\n",
            "expected the name of a board",
            "not known",
        ),
        ("ssh: connect to host board port 22: Connection refused\n", UNREACHABLE, "Connection refused"),
        ("ssh: connect to host board port 22: No route to host\n", UNREACHABLE, "No route to host"),
        ("ssh: connect to host board port 22: Connection timed out\n", UNREACHABLE, "Connection timed out"),
        ("Connection timed out during banner exchange\n", UNREACHABLE, "during banner exchange"),
        ("kex_exchange_identification: read: Connection reset by peer\n", SHUT, "reset by peer"),
        ("Connection closed by 127.0.0.1 port 2297\n", SHUT, "Connection closed by"),
        (ADDED, "expected a login that starts python3", "silence (exit status 255)"),
        (
            "This account is currently not available.\n",
            "expected a login that starts python3",
            "currently not available",
        ),
        ("/home/me/.ssh/config: line 1: Bad configuration option: x\n", "a login that starts python3", "Bad config"),
    ],
)
def test_a_refusal_of_ssh(ssh: StandIn, said: str, expected: str, got: str) -> None:
    message = refusal(ssh, said, 255)
    assert expected in message and got in message.partition(" got ")[2]


@pytest.mark.parametrize(
    "said",
    [
        "sh: 1: python3: not found\n",
        "bash: line 1: python3: command not found\n",
        "zsh:1: command not found: python3\n",
        "fish: Unknown command: python3\n",
        "-ash: python3: not found\n",
        "",
    ],
)
def test_a_board_without_python(ssh: StandIn, said: str) -> None:
    """What each shell says, and one that says nothing but the status."""
    assert NO_PYTHON in refusal(ssh, said, 127)


@pytest.mark.parametrize("version", ["2 7 18", "3 6 15", "3 9 18"])
def test_an_old_python_is_named(ssh: StandIn, version: str) -> None:
    ssh(f"echo; echo edgebert-board {version}; cat > /dev/null")
    with pytest.raises(MeasurementError, match=f"3.10 or newer as its python3, got Python {version.replace(' ', '.')}"):
        Connection(Target("board"))


def test_a_changed_key_names_what_to_remove_and_how_to_connect(ssh: StandIn) -> None:
    message = refusal(ssh, CHANGED, 255, Target("pi@127.0.0.1", 2299))
    assert "ssh-keygen -R '[127.0.0.1]:2299', then ssh -p 2299 pi@127.0.0.1" in message


@pytest.mark.parametrize("greeting", ["", "echo edgebert-board 3 11 2\n"])
def test_what_ssh_says_after_its_last_output_is_told(ssh: StandIn, greeting: str) -> None:
    """It closes what we read from before it writes why."""
    ssh(f"{greeting}exec >&-; sleep 0.3; echo 'client_loop: send disconnect: Broken pipe' >&2; exit 255")
    with pytest.raises(MeasurementError, match="got 'client_loop: send disconnect: Broken pipe'"):
        Connection(Target("board"))


def test_a_login_that_starts_nothing_is_given_up(ssh: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_GREETING_SECONDS", 0.2)
    ssh("exec sleep 60")
    with pytest.raises(MeasurementError, match=r"expected a login that starts python3 within 0 s, got none"):
        Connection(Target("board"))


def test_endless_noise_is_given_up(ssh: StandIn) -> None:
    ssh("exec yes")
    with pytest.raises(MeasurementError, match="expected a login that starts python3, got endless output"):
        Connection(Target("board"))


def test_a_machine_without_ssh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MeasurementError, match="expected OpenSSH's client on this machine, got none") as caught:
        Connection(Target("board"))
    assert_house_form(str(caught.value))
