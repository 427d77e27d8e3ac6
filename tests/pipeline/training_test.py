"""The stages in their order: a student of plain text before the task, and scores to predict instead of labels."""

from pathlib import Path

import numpy as np
import pytest

from edgebert.models.checkpoint import load_checkpoint
from edgebert.models.weights import WORD_TABLE
from edgebert.pipeline.probing import measure_speeds
from edgebert.pipeline.request import prepare
from edgebert.pipeline.running import compress
from edgebert.pipeline.standings import FINISHED, TO_DO, standings
from edgebert.pipeline.training import train_models
from edgebert.progress import Progress, silent
from edgebert.run_directory import RunDirectory
from tests.cli.labelled import WORDS
from tests.pipeline.conftest import result_of

STILL = 1e-12


@pytest.fixture
def corpus(tmp_path: Path) -> dict:
    lines = [" ".join(WORDS[(number + step) % len(WORDS)] for step in range(8)) for number in range(60)]
    (tmp_path / "corpus.txt").write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    return {"distill_text": {"corpus": str(tmp_path / "corpus.txt"), "epochs": 1, "learning_rates": 1e-2}}


def test_a_corpus_is_planned_as_a_stage_of_its_own(configure, corpus: dict, tmp_path: Path) -> None:
    request = prepare(configure(corpus))
    found = standings(request, tmp_path / "run")
    assert list(found)[:3] == ["finetune", "distill-text", "distill"] and set(found.values()) == {TO_DO}
    assert request.future_distillation.student.layers == request.text_distillation.student.layers == 1
    assert len(request.text.train) + len(request.text.dev) > 0


@pytest.mark.long
def test_the_student_of_the_task_starts_as_the_student_of_plain_text(configure, corpus: dict, tmp_path: Path) -> None:
    """With a task's step too small to move anything, it is that student."""
    request = prepare(configure(corpus, {"distill": {"learning_rates": STILL, "epochs": 1}}))
    with RunDirectory(tmp_path / "run") as run:
        models = train_models(run, request, silent)
    general, student = (load_checkpoint(path) for path in (tmp_path / "run/distill-text/checkpoint", models["student"]))
    teacher = load_checkpoint(models["teacher"])
    for name, values in general.tensors.items():
        np.testing.assert_allclose(student.tensors[name], values, atol=1e-6, err_msg=name)
    assert student.head == teacher.head and not np.array_equal(general.tensors[WORD_TABLE], teacher.tensors[WORD_TABLE])
    assert result_of(tmp_path / "run", "distill-text")["metric"] == "negated dev loss"
    assert standings(request, tmp_path / "run")["distill"] == FINISHED
    told: list[Progress] = []
    with RunDirectory(tmp_path / "run") as run:
        assert train_models(run, request, told.append) == models and told == []


@pytest.mark.long
def test_speeds_are_measured_on_plain_text_too(configure, corpus: dict) -> None:
    speeds = measure_speeds(prepare(configure(corpus)), silent)
    assert len(speeds.distill_text) == 1 and speeds.distill_text[0] > 0


@pytest.mark.long
def test_scores_are_predicted_ranked_and_compared(configure, place: Path, tmp_path: Path) -> None:
    for name in ("train", "dev"):
        text = (place / f"{name}.csv").read_text().replace(",bad", ",1.25").replace(",fine", ",4.5")
        (tmp_path / f"{name}.csv").write_text(text)
    data = {"data": {"train": str(tmp_path / "train.csv"), "dev": str(tmp_path / "dev.csv")}}
    request = prepare(configure(data, {"distill": {"recipes": ["distilbert_task"], "epochs": 1}}))
    outcome = compress(request, tmp_path / "run")
    assert outcome.metric == "spearman" and outcome.rows[0].agreement == pytest.approx(1.0)
    assert all(-1 <= row.score <= 1 for row in outcome.rows)
