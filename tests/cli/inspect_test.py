"""`edgebert inspect` prints tables for a person, JSON for a program, and one line for a file that is none."""

import json
import re
import subprocess
import sys

import pytest

from edgebert.cli import main
from tests.export.golden_models import GOLDEN


def model(name: str) -> str:
    return str(GOLDEN / f"{name}.tflite")


def test_tables(capsys):
    assert main(["inspect", model("plain_int8")]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    for expected in (
        "50,616 bytes",
        "serving_default  input   input_ids    int32    [1, 8]",
        "FULLY_CONNECTED",
        "embedding tables",
        "needs runtime 2.9 or newer (GELU version 2)",
        "TensorFlow Lite for Android 2.16.1  yes",
        "graph 0: XNNPACK takes 72 of 108 operators in 22 pieces",
        "BATCH_MATMUL x 4 left: its right-hand side",
        "change: make K and V symmetric",
        "left, and cheap: GATHER x 2, CAST x 1",
    ):
        assert expected in shown.out
    assert max(map(len, shown.out.splitlines())) < 200


def test_nodes_lists_every_operator_that_is_left(capsys):
    assert main(["inspect", model("plain_int8"), "--nodes"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("left  ") >= 108 - 72


def test_json_is_versioned_and_complete(capsys):
    assert main(["inspect", model("plain_dynamic"), model("plain_float16"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["format"] == "edgebert-inspect/1"
    first, second = document["files"]
    assert first["minimum_runtime"] == "2.17"
    assert first["taken_share"] == pytest.approx(103 / 107)
    assert sum(first["sizes"].values()) == first["size_bytes"]
    assert {port["name"] for port in first["calls"][0]["inputs"]} == {"input_ids", "input_mask", "segment_ids"}
    assert second["delegations"][0]["verdicts"][0]["outcome"] in ("taken", "left")
    assert len(second["weights"]) > 10
    assert first["edgebert"] is None


def test_dishonest_versions_are_shown(capsys):
    assert main(["inspect", model("quantizer_dynamic")]) == 0
    assert "dishonest: FULLY_CONNECTED says version 5 and needs 12" in capsys.readouterr().out


def test_a_mask_of_ten_thousand_in_integers_is_told(capsys):
    assert main(["inspect", model("plain_int8")]) == 0
    assert re.search(r"masks: steps of 39\.2 in '.*' \(MUL\), too wide for scores", capsys.readouterr().out)
    assert main(["inspect", model("plain_dynamic")]) == 0
    assert "masks:" not in capsys.readouterr().out
    assert main(["inspect", model("plain_int8"), "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["files"]
    assert [mask["operator"] for mask in told["wide_masks"]] == ["MUL"]


@pytest.mark.parametrize("content", [b"", b"no model", b"\x1c\0\0\0TFL3" + bytes(40)])
def test_what_is_no_model_is_one_line_and_code_two(tmp_path, capsys, content):
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    assert main(["inspect", str(path)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert shown.err.startswith(f"edgebert inspect: {path}: expected ")


def test_an_absent_file_is_one_line_and_code_two(tmp_path, capsys):
    assert main(["inspect", str(tmp_path / "absent.tflite")]) == 2
    assert "No such file or directory" in capsys.readouterr().err


def test_inspecting_loads_neither_tensorflow_nor_a_runtime():
    """LiteRT's schema is plain Python; its interpreter and TensorFlow are not needed to read a file."""
    script = (
        "import sys; from edgebert.cli import main; main(['inspect', sys.argv[1]]);"
        "heavy = {'tensorflow', 'tf_keras', 'transformers', 'ai_edge_quantizer', 'ai_edge_litert.interpreter'};"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script, model("plain_dynamic")], check=True, capture_output=True)


def test_help_shows_examples(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["inspect", "--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert "edgebert inspect model.tflite --nodes" in shown
