"""Whatever a command or an error says of its owner, the record does not."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebert.benchmark.board.measuring import names_of
from edgebert.benchmark.board.target import Target
from edgebert.benchmark.nameless import Names, without_names, words_without_names

PHONE = Names((re.escape("R58"),), in_commands="SERIAL", in_words="the phone")


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("--on=adb:R58,X1", "--on=adb"),
        ("adb:all", "adb"),
        ("adb:R58", "adb"),
        ("ssh:jane@board:22", "ssh"),
        ("--on=ssh:jane@[fe80::1%eth0]:22", "--on=ssh"),
        ("/home/Jane Doe/models/a.tflite", "a.tflite"),
        ("../Jane/models/", "models"),
        ("--json=/home/jane/out.json", "--json=out.json"),
        ("--data=C:\\Users\\jane\\texts.txt", "--data=texts.txt"),
        ("length=16,32", "length=16,32"),
        ("R58.tflite", "SERIAL.tflite"),
    ],
)
def test_what_a_record_keeps_of_the_command(argument: str, expected: str) -> None:
    assert without_names((argument,), PHONE) == (expected,)


BOARD = names_of(Target("jane@pi"))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("jane@pi: expected the connection to last, got", "the board: expected the connection to last, got"),
        ("a.tflite on jane@pi: expected the", "a.tflite on the board: expected the"),
        ("got 'Timeout, server pi not responding'", "got 'Timeout, server the board not responding'"),
        ("'Connection to pi.lan closed by remote host'", "'Connection to the machine closed by remote host'"),
        ("'Connection reset by fe80::1%eth0 port 22'", "'Connection reset by the machine port 22'"),
        ("ssh: connect to host 10.0.0.7 port 22: No route", "ssh: connect to host the machine port 22: No route"),
        ("'client_loop: send disconnect: Broken pipe'", "'client_loop: send disconnect: Broken pipe'"),
        ("its last words: /home/jane/.cache/x/y.py:12: E", "its last words: y.py:12: E"),
        ("/home/Jane Doe/a b.tflite: expected", "a b.tflite: expected"),
        ("no such file: '~/Jane Doe/a b.tflite'", "no such file: 'a b.tflite'"),
        ("a pipe to the epic pi-hole, at 12:30:45", "a pipe to the epic pi-hole, at 12:30:45"),
        ("1/2 of 12 MB/s; tflite::ops::Add, 2.3.0", "1/2 of 12 MB/s; tflite::ops::Add, 2.3.0"),
        ("check the pi's power", "check the board's power"),
    ],
)
def test_what_a_record_keeps_of_an_error(words: str, expected: str) -> None:
    assert words_without_names(words, BOARD) == expected


NAME = st.from_regex(r"[a-z][a-z0-9]{5,11}", fullmatch=True).map(lambda name: f"zz{name}")
SAID = (
    "{target}: expected the connection to last, got 'Connection to {host} closed by remote host'. Do: run it again.",
    "{target}: expected the connection to last, got 'Timeout, server {host} not responding'. Do: run it again.",
    "a.tflite on {target}: expected an answer, got a dead process; its last words: /home/{user}/x/y.py: no",
    "'/home/{user}/a.tflite' and ./{user}/b and ~{user}/c: {user}@{host}, ssh:{user}@{host}:22, adb:{host}",
)


@given(NAME, NAME, st.sampled_from(SAID))
def test_no_user_and_no_host_is_left(user: str, host: str, said: str) -> None:
    target = Target(f"{user}@{host}")
    left = words_without_names(said.format(user=user, host=host, target=target), names_of(target))
    assert user not in left and host not in left


def test_a_host_that_is_called_as_our_words_are_leaves_them_readable() -> None:
    words = "board port 22: expected the connection to last. Do: check the board's power, then run the command again."
    assert words_without_names(words, names_of(Target("board", 22))) == words.replace("board port 22", "the board")
