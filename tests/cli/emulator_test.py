"""`edgebert emulator` and `edgebert benchmark --on emulated:...` as a user types them."""

import json
import platform
from pathlib import Path

import pytest

from edgebert.benchmark.emulated.environment import Environment
from edgebert.cli import main
from edgebert.measurement_file import read_record
from tests.benchmark.conftest import FIXED, VOCABULARY, WITHOUT_SEGMENTS
from tests.benchmark.emulated.conftest import cache, emulator, lay_out
from tests.data.house_form import assert_house_form

__all__ = ["cache", "emulator"]

ON_ONE_CORE = ("--on", "emulated:cortex-a55", "--vocab", str(VOCABULARY), "--texts", "2")


def refused(capsys: pytest.CaptureFixture, *arguments: str) -> str:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    message = printed.err.removesuffix("\n")
    assert_house_form(message)
    return message


def test_the_cores_are_listed_where_nothing_is_installed(capsys: pytest.CaptureFixture, cache: Path) -> None:
    assert main(["emulator", "list"]) == 0
    rows = capsys.readouterr().out.splitlines()[2:6]
    assert [row.split()[0] for row in rows] == [
        *("emulated:cortex-a53", "emulated:cortex-a55", "emulated:cortex-a76", "emulated:i8mm")
    ]
    assert all(row.endswith("not installed") for row in rows)
    assert not cache.exists()


def test_versions_are_listed_where_it_is_installed(capsys: pytest.CaptureFixture, cache: Path) -> None:
    lay_out(cache / "emulator")
    assert main(["emulator", "list"]) == 0
    out = capsys.readouterr().out
    assert out.count(" installed\n") == 4 and "not installed" not in out
    assert f"in {cache / 'emulator'}\nqemu-user 1:7.2\nai-edge-litert 2.3.0\n" in out


def test_a_machine_that_cannot_is_told_so(
    capsys: pytest.CaptureFixture, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    assert "expected Linux on x86-64, got Darwin" in refused(capsys, "emulator", "install")


def test_without_an_emulator_the_way_to_one_is_named(capsys: pytest.CaptureFixture, cache: Path) -> None:
    message = refused(capsys, "benchmark", str(FIXED), "--on", "emulated:i8mm", "--synthetic-ids")
    assert message.endswith("Do: edgebert emulator install.")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--on", "moon"), "got 'moon'. Do: choose one"),
        (("--on", "emulated:cortex-a99"), "got 'cortex-a99'"),
        (("--on", "emulated:i8mm", "--threads", "2"), "--threads: expected 1"),
        (("--on", "emulated:i8mm", "--cores", "0"), "--cores: expected none"),
        (("--on", "emulated:i8mm", "--min-seconds", "1"), "--min-seconds: expected none"),
        (("--on", "emulated:i8mm", "--runs", "0"), "--runs: expected 1 or more"),
    ],
)
def test_what_means_nothing_is_refused(
    capsys: pytest.CaptureFixture, cache: Path, arguments: tuple[str, ...], named: str
) -> None:
    lay_out(cache / "emulator")
    assert named in refused(capsys, "benchmark", str(FIXED), *arguments)


@pytest.mark.long
def test_two_models_on_one_core(capsys: pytest.CaptureFixture, emulator: Environment, tmp_path: Path) -> None:
    models = (str(FIXED), str(WITHOUT_SEGMENTS))
    written = tmp_path / "out.json"
    assert main(["benchmark", *models, *ON_ONE_CORE, "--json", str(written)]) == 0
    printed = capsys.readouterr().out
    assert "not a time" in printed
    assert not any(word in printed for word in (" ms", "latency", "faster", "slower"))
    record = read_record(written)
    assert record.place == "emulated"
    assert record.provenance.command_line and not any("/" in part for part in record.provenance.command_line)
    means = [case["mean_instructions"]["all"] for case in json.loads(written.read_text())["derived"]["cases"]]
    assert f"{means[1] / means[0]:.3f}x" in printed and f"{means[0] / 1e6:.3f}" in printed
    assert "inputs: 2 of 20 from built-in English sentences" in printed
    assert main(["benchmark", "--show", str(written)]) == 0
    assert capsys.readouterr().out == printed


@pytest.mark.long
def test_the_record_can_go_to_standard_output(capsys: pytest.CaptureFixture, emulator: Environment) -> None:
    assert main(["benchmark", str(FIXED), *ON_ONE_CORE, "--length", "32", "--json", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    (case,) = document["cases"]
    assert (case["emulation"]["core"], case["length"]) == ("cortex-a55", 32)
    assert set(case["inputs"]["lengths"]) == {32}
