"""What --on may name, and what becomes of it on ssh's command line."""

import pytest

from edgebert.benchmark.board.target import Target, choose_target
from edgebert.errors import MeasurementError
from tests.data.house_form import assert_house_form


@pytest.mark.parametrize(
    ("on", "arguments", "host"),
    [
        ("ssh:board", ("--", "board"), "board"),
        ("ssh:pi@board", ("--", "pi@board"), "board"),
        ("ssh:pi@192.168.1.7:2222", ("-p", "2222", "--", "pi@192.168.1.7"), "[192.168.1.7]:2222"),
        ("ssh:[fe80::1%eth0]", ("--", "fe80::1%eth0"), "fe80::1%eth0"),
        ("ssh:pi@[::1]:22", ("-p", "22", "--", "pi@::1"), "[::1]:22"),
        ("ssh:some-alias_2", ("--", "some-alias_2"), "some-alias_2"),
    ],
)
def test_a_board_is_named_as_for_ssh(on: str, arguments: tuple[str, ...], host: str) -> None:
    target = choose_target(on)
    assert (target.arguments, target.host) == (arguments, host)


@pytest.mark.parametrize(
    "on",
    [
        *("ssh", "ssh:", "ssh:@board", "ssh:pi@", "ssh:board:", "ssh:board:0", "ssh:board:65536", "ssh:board:22:22"),
        *("ssh:two words", "ssh:::1", "ssh://board", "ssh:a@b@c", "ssh:[board]", "ssh:board/"),
        # What ssh would read as an option, even behind `--`: it splits the user from the host itself.
        *("ssh:-oProxyCommand=true", "ssh:-l@board", "ssh:pi@-oProxyCommand=true"),
    ],
)
def test_anything_else_is_refused(on: str) -> None:
    with pytest.raises(MeasurementError) as refusal:
        choose_target(on)
    assert_house_form(str(refusal.value))
    assert f"got '{on}'" in str(refusal.value)


def test_what_a_user_would_type() -> None:
    assert Target("pi@board").command == "ssh pi@board"
    assert Target("pi@board", 2222).command == "ssh -p 2222 pi@board"
    assert str(Target("pi@board", 2222)) == "pi@board port 2222"
