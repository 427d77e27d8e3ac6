"""`edgebert benchmark --sweep`: another spelling of --threads and --length."""

import argparse
import os
from pathlib import Path

import pytest

from edgebert.cli import build_parser, main
from edgebert.cli.benchmark_arguments import read_plan
from edgebert.measurement_file import read_record
from tests.benchmark.conftest import DYNAMIC, VOCABULARY
from tests.data.house_form import assert_house_form

QUICK = ("--vocab", str(VOCABULARY), "--runs", "5", "--min-seconds", "0", "--texts", "2")


def parsed(*arguments: str) -> argparse.Namespace:
    return build_parser().parse_args(["benchmark", "m.tflite", *arguments])


def settings(*arguments: str) -> tuple:
    return read_plan(parsed(*arguments), 20, 100, 0.5).settings()


@pytest.mark.parametrize(
    ("swept", "flags"),
    [
        (("--sweep", "threads=1,2", "length=16,32"), ("--threads", "1,2", "--length", "16,32")),
        (("--sweep", "length=8", "threads=4"), ("--threads", "4", "--length", "8")),
        (("--sweep", "length=8", "--threads", "1,2"), ("--threads", "1,2", "--length", "8")),
        (("--sweep", "threads=2"), ("--threads", "2")),
    ],
)
def test_both_spellings_mean_the_same(swept: tuple[str, ...], flags: tuple[str, ...]) -> None:
    assert settings(*swept) == settings(*flags)


def test_without_either_it_is_one_thread_at_the_texts_lengths() -> None:
    assert settings() == ((0, 1, None),)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--sweep", "threads=1", "--threads", "2"), "--sweep: expected no threads beside --threads, got both"),
        (("--sweep", "length=8", "--length", "8"), "--sweep: expected no length beside --length, got both"),
        (("--sweep", "cores=1"), "--sweep: expected threads=N,... or length=N,..., got 'cores=1'"),
        (("--sweep", "threads=1", "n.tflite"), "got 'n.tflite'"),
        (("--sweep", "threads"), "got 'threads'"),
        (("--sweep", "threads=1", "threads=2"), "--sweep: expected threads once, got it twice"),
        (("--sweep", "threads=one"), "--threads: expected numbers with commas between, got 'one'"),
        (("--sweep", "length="), "--length: expected numbers with commas between, got ''"),
        (("--sweep", "length=16,16"), "--length: expected each value once"),
    ],
)
def test_conflicts_and_slips_are_refused(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], named: str
) -> None:
    assert main(["benchmark", str(DYNAMIC), *arguments]) == 2
    told = capsys.readouterr().err.strip()
    assert named in told
    assert_house_form(told.removeprefix("edgebert benchmark: "))


def test_a_sweep_has_its_table_and_more_threads_than_cores_are_remarked(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    cores = len(os.sched_getaffinity(0))
    out = tmp_path / "out.json"
    sweep = ("--sweep", f"threads=1,{cores + 1}", "length=8,16", "--json", str(out))
    assert main(["benchmark", str(DYNAMIC), *QUICK, *sweep]) == 0
    printed = capsys.readouterr()
    assert [(case.threads, case.length) for case in read_record(out).cases] == [
        (1, 8),
        (1, 16),
        (cores + 1, 8),
        (cores + 1, 16),
    ]
    header = next(line for line in printed.out.splitlines() if "curve" in line)
    assert header.split("  ")[-1].strip() == "curve" and f"{cores + 1} threads ms" in header
    remark = f"{cores + 1} threads on {cores} core"
    assert remark in printed.err and remark in printed.out
