"""What a run folder holds reaches the report, file by file; what it does not hold is null."""

import dataclasses
import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.tools import flatbuffer_utils

from edgebert.errors import ArtefactError, DataError
from edgebert.export.answering import AnsweringModel
from edgebert.export.inspect import summarize
from edgebert.report.collecting import ReportRequest, collect
from edgebert.report.model import Report
from edgebert.report.model_file import read_report, to_json
from edgebert.run_directory import RunDirectory
from tests.conftest import GOLDEN
from tests.export.client_models import TEXTS, graph, pack
from tests.report.runs import EPOCHS, PRUNED, STUDENT, TEACHER, last_matrix, make_run


def collected(*folders: Path, **options) -> Report:
    return collect(ReportRequest(folders, **options))


def row_named(report: Report, name: str):
    return next(row for row in report.rows if row.name == name)


def test_each_file_is_a_row_with_what_its_stages_said(report: Report, run_folder: Path) -> None:
    assert report.rows[report.reference].name == TEACHER
    assert {row.name for row in report.rows} == {TEACHER, STUDENT, PRUNED}
    scored = json.loads((run_folder / "score" / "stage.json").read_bytes())["result"]
    for row in report.rows:
        path = run_folder / row.path
        assert row.size_bytes == path.stat().st_size
        # zlib's versions differ by a few bytes, and gzip's header names nothing here.
        assert abs(row.gzipped_bytes - len(gzip.compress(path.read_bytes(), 6))) <= 32
        assert row.score == scored["scores"][row.name]
        assert row.agreement == scored["agreement"][row.name]
        assert row.clients == {"litert": "agrees", "mediapipe": "NOT RUN"}
        assert row.model == ("finetune" if row.name == TEACHER else "distill")
    assert row_named(report, PRUNED).client_reasons == {"mediapipe": "<b>not</b> installed"}


def test_a_stage_that_an_earlier_configuration_left_is_not_of_the_run(run_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(run_folder, tmp_path / "run")
    names = [stage.name for stage in collected(folder).runs[0].stages]
    with RunDirectory(folder) as run:
        run.stage("shrink", {"keep": 0.5}).finish({"parts": 1})
    sources = {"inputs": {"train": {"source": "a/train.csv"}, "dev": {"source": "a/dev.csv"}}}
    (folder / "run.json").write_text(json.dumps(sources))
    assert {stage.name for stage in collected(folder).runs[0].stages} == {*names, "shrink"}
    (folder / "run.json").write_text(json.dumps({**sources, "stages": names}))
    assert [stage.name for stage in collected(folder).runs[0].stages] == names


def test_ratios_are_against_the_teacher_in_the_same_setting(report: Report) -> None:
    reference = report.rows[report.reference]
    for row, faster in ((reference, 1.0), (row_named(report, STUDENT), 2.0), (row_named(report, PRUNED), 4.0)):
        assert [one.threads for one in row.latencies] == [1, 2]
        for one in row.latencies:
            assert one.times_faster == pytest.approx(faster)
            assert one.times_faster_cpu == pytest.approx(faster)
            assert one.median_ns == np.median(one.samples_ns)
            assert one.p90_ns == np.percentile(one.samples_ns, 90)
            assert one.is_steady and one.ratio_is_steady and not one.verdicts
        assert row.retention == pytest.approx(row.score / reference.score)
        assert row.times_smaller == reference.size_bytes / row.size_bytes


def test_zeros_are_counted_in_the_file(report: Report, run_folder: Path) -> None:
    """Half of the last matrix was set to zero, and nothing else is."""
    row = row_named(report, PRUNED)
    altered = flatbuffer_utils.convert_bytearray_to_object(
        bytearray((GOLDEN / "tiny_dynamic_length.tflite").read_bytes())
    )
    tensor = altered.subgraphs[0].tensors[last_matrix(altered.subgraphs[0])]
    zeros = int(np.prod(tensor.shape)) // 2
    elements = [weight.elements for weight in summarize(run_folder / row.path).weights if weight.is_matrix]
    assert row.zero_share == pytest.approx(zeros / sum(elements))
    assert all(layer.zero_share == 0 for layer in row_named(report, STUDENT).layers)


def test_the_headline_is_the_smallest_file_that_keeps_the_score(report: Report) -> None:
    others = [row for number, row in enumerate(report.rows) if number != report.reference and row.retention >= 0.97]
    assert report.rows[report.headline] == min(others, key=lambda row: row.size_bytes)
    worse = tuple(dataclasses.replace(row, retention=0.5 + number / 10) for number, row in enumerate(report.rows))
    kept = dataclasses.replace(report, rows=worse, reference=0)
    assert kept.headline == len(worse) - 1
    # None keeps 97 %: of two that differ by less than a point of it the smaller one.
    close = tuple(
        dataclasses.replace(row, retention=0.9 + number / 1000, size_bytes=100 + number)
        for number, row in enumerate(report.rows)
    )
    assert dataclasses.replace(report, rows=close, reference=0).headline == 1


def test_curves_are_the_epochs_of_every_training(report: Report) -> None:
    assert [(curve.stage, curve.title) for curve in report.curves] == [
        ("finetune", "finetune"),
        ("distill", "tinybert"),
    ]
    for curve in report.curves:
        assert curve.positions == (1, 2)
        assert curve.terms["hidden"] == tuple(epoch["losses"]["hidden"] for epoch in EPOCHS)
        assert curve.terms["all terms"] == (2.0, 1.0)
        assert curve.dev_scores == (0.5, 0.75)
    assert [curve.dev_name for curve in report.curves] == ["dev score", "negated dev loss"]


def test_differences_are_those_that_the_files_themselves_show(report: Report, run_folder: Path) -> None:
    answers = {
        row.name: AnsweringModel(run_folder / row.path).answer_all([(text, None) for text in TEXTS]).argmax(axis=1)
        for row in report.rows
    }
    targets = np.arange(len(TEXTS)) % 2
    for found in report.differences:
        ours, theirs = answers[report.rows[found.row].name], answers[TEACHER]
        differing = ours != theirs
        assert found.count == differing.sum()
        assert found.reference_alone_right == (differing & (theirs == targets)).sum()
        assert found.row_alone_right == (differing & (ours == targets)).sum()
        assert found.both_wrong == found.count - found.reference_alone_right - found.row_alone_right
        assert {one.text for one in found.examples} == {
            text for text, is_one in zip(TEXTS, differing, strict=True) if is_one
        }
    assert sum(found.count for found in report.differences) > 0
    for found in report.confusions:
        counted = {(cell.target, cell.answer): cell.count for cell in found.cells}
        pairs = list(zip(targets.tolist(), answers[report.rows[found.row].name].tolist(), strict=True))
        assert counted == {pair: pairs.count(pair) for pair in set(pairs)}


def test_the_json_report_says_all_that_the_value_does(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(to_json(report))
    assert read_report(path) == report
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 2', 1))
    with pytest.raises(DataError, match="expected schema_version 1, got 2"):
        read_report(path)
    path.write_bytes(to_json(report).replace(b'"gzipped_bytes"', b'"gziped_bytes"', 1))
    with pytest.raises(DataError, match=r"rows\[0\].gziped_bytes: expected a known key \(gzipped_bytes\?\)"):
        read_report(path)


def test_what_was_not_done_is_null(run_folder: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    for stage in ("finetune", "convert"):
        shutil.copytree(run_folder / stage, bare / stage)
    report = collected(bare)
    assert (report.measurements, report.confusions, report.differences, report.attributions) == ((), (), (), ())
    assert report.headline is None
    for row in report.rows:
        assert (row.score, row.agreement, row.retention, row.latencies, row.clients) == (None, None, None, (), {})
    # The student's stage is gone: its files are of nobody's making, and still rows.
    assert row_named(report, STUDENT).model is None
    assert report.runs[0].dev_examples is None


def test_a_moved_folder_tells_the_same(report: Report, run_folder: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "tiny"
    shutil.copytree(run_folder, moved)
    assert collected(moved) == report


def test_a_stage_that_did_not_finish_makes_no_rows_and_is_named(run_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(run_folder, folder)
    record = folder / "score" / "stage.json"
    record.write_text(record.read_text().replace('"state": "finished"', '"state": "begun"'))
    report = collected(folder)
    assert report.runs[0].remarks == ("score did not finish",)
    assert all(row.score is None for row in report.rows)


def test_a_file_that_changed_since_is_refused(run_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(run_folder, folder)
    (folder / "convert" / f"{STUDENT}.tflite").write_bytes(pack(graph()))
    with pytest.raises(ArtefactError, match=r"student-float32\.tflite: expected the file as its stage recorded it"):
        collected(folder)
    (folder / "convert" / f"{STUDENT}.tflite").unlink()
    with pytest.raises(
        ArtefactError, match=r"student-float32\.tflite: expected the file that its stage recorded, got none"
    ):
        collected(folder)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"state": 1}', b'{"state": "finished", "inputs": 3}'])
def test_a_damaged_record_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "convert").mkdir()
    (tmp_path / "convert" / "stage.json").write_bytes(content)
    with pytest.raises(DataError, match=r"convert/stage\.json: expected a stage's record"):
        collected(tmp_path)


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a run folder, got one without a stage's record"):
        collected(tmp_path)
    (tmp_path / "finetune").mkdir()
    (tmp_path / "finetune" / "stage.json").write_text('{"state": "finished", "inputs": {}, "result": {}, "files": {}}')
    with pytest.raises(DataError, match=r"expected a finished stage with a .tflite, got none"):
        collected(tmp_path)


def test_texts_are_left_out_on_request(run_folder: Path) -> None:
    told = to_json(collected(run_folder, without_texts=True)).decode()
    assert not [text for text in TEXTS if len(text) > 3 and json.dumps(text) in told]
    explained = collected(run_folder, without_texts=True, explain=(("a good film", None),))
    assert {one.text for one in explained.attributions} == {"a good film"}


def test_two_runs_stand_in_one_table(run_folder: Path, tmp_path: Path) -> None:
    other = make_run(tmp_path / "other")
    report = collected(run_folder, other)
    assert [run.name for run in report.runs] == ["tiny", "other"]
    assert len(report.rows) == 6
    assert {row.name for row in report.rows} == {
        f"{run}: {name}" for run in ("tiny", "other") for name in (TEACHER, STUDENT, PRUNED)
    }
    # Both were measured with the same times, so ratios across records are those within one.
    assert sorted(row.latencies[0].times_faster for row in report.rows) == pytest.approx([1, 1, 2, 2, 4, 4])
    assert len(report.notes) == 1 and "did not take turns" in report.notes[0]
    with pytest.raises(DataError, match="expected each once"):
        collected(run_folder, run_folder)


def test_a_score_that_is_no_number_was_not_measured(run_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(run_folder, folder)
    record = folder / "score" / "stage.json"
    document = json.loads(record.read_bytes())
    document["result"]["scores"][STUDENT] = float("nan")
    record.write_text(json.dumps(document))
    report = collected(folder)
    assert (row_named(report, STUDENT).score, row_named(report, STUDENT).retention) == (None, None)
    assert b"NaN" not in to_json(report)
