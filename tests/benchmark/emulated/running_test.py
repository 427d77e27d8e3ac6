"""What is said when the guest does not run, from stand-ins for the emulator that fail as real ones do."""

from pathlib import Path

import pytest

from edgebert.benchmark.emulated.cores import CORES
from edgebert.benchmark.emulated.running import run_here, start_on_core
from edgebert.errors import MeasurementError
from tests.benchmark.conftest import DYNAMIC
from tests.benchmark.emulated.conftest import lay_out
from tests.data.house_form import assert_house_form


def refused(tmp_path: Path, loader: str) -> str:
    made = lay_out(tmp_path / "emulator", f"#!/bin/sh\n{loader}\n")
    with pytest.raises(MeasurementError) as caught:
        start_on_core(made, CORES[0], tmp_path, "script.py", "m.tflite")
    assert_house_form(str(caught.value))
    return str(caught.value)


def test_the_guest_has_our_variables_and_nothing_of_the_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/host")
    monkeypatch.setenv("SECRET", "of the host")
    made = lay_out(
        tmp_path / "a,b", '#!/bin/sh\nenv > variables\nfor each in "$@"; do echo "$each"; done > arguments\n'
    )
    start_on_core(made, CORES[2], tmp_path, "script.py", "m.tflite")
    variables = dict(line.split("=", 1) for line in (tmp_path / "variables").read_text().splitlines())
    assert variables["PYTHONPATH"] == "/site" and variables["PYTHONHASHSEED"] == "0"
    assert "SECRET" not in variables
    arguments = (tmp_path / "arguments").read_text().splitlines()
    assert arguments[arguments.index("-cpu") + 1] == "cortex-a76"
    assert arguments[-1] == "script.py"
    # A comma in a path is doubled where it would end an option.
    assert f"file={tmp_path}/a,,b/counting_plugin.so,out=counts.jsonl" in arguments


def test_an_emulator_without_plugins_is_called_so(tmp_path: Path) -> None:
    message = refused(tmp_path, "echo \"qemu-aarch64: unknown option 'plugin'\" >&2; exit 1")
    assert "expected an emulator that counts" in message and "qemu-user 7.2" in message


def test_a_guest_that_dies_is_named_with_its_last_words(tmp_path: Path) -> None:
    message = refused(tmp_path, "echo 'last words' >&2; echo 'INFO: not these' >&2; kill -SEGV $$")
    assert message.startswith("m.tflite on cortex-a53: ") and "got SIGSEGV: last words" in message
    assert "got exit status 3." in refused(tmp_path / "silent", "exit 3")


def test_an_emulator_that_is_gone_is_one_line(tmp_path: Path) -> None:
    made = lay_out(tmp_path / "emulator")
    Path(made.emulator_command()[0]).unlink()
    with pytest.raises(MeasurementError, match="emulator install --again") as caught:
        start_on_core(made, CORES[0], tmp_path, "script.py", "m.tflite")
    assert_house_form(str(caught.value))


def test_a_model_that_the_runtime_refuses_here_is_one_line(tmp_path: Path) -> None:
    request = {"model": str(DYNAMIC), "tensors": [0], "dtypes": ["int32"], "arrays": [[[1] * 4]], "runs": [(5, 18, 18)]}
    with pytest.raises(MeasurementError, match=r"^m\.tflite on this machine: .* IndexError") as caught:
        run_here(tmp_path, request, "m.tflite")
    assert_house_form(str(caught.value))
