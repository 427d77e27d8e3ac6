"""The counting script answers here as a fresh interpreter does that has seen one input only."""

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from edgebert.benchmark.binding import bind_inputs
from edgebert.benchmark.emulated.counting import take_reference
from edgebert.benchmark.feeding import feed_model
from edgebert.benchmark.plan import Plan
from edgebert.benchmark.process import WorkerProcess
from edgebert.benchmark.texts import builtin_texts
from tests.benchmark.conftest import DYNAMIC, VOCABULARY
from tests.export.golden_models import GOLDEN


def answer_alone(model: Path, tensors: dict[int, np.ndarray]) -> np.ndarray:
    """One run of an interpreter that has seen nothing else."""
    interpreter = Interpreter(str(model))
    for tensor, row in tensors.items():
        interpreter.resize_tensor_input(tensor, row.shape)
    interpreter.allocate_tensors()
    for tensor, row in tensors.items():
        interpreter.set_tensor(tensor, row)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).ravel()


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        (DYNAMIC, {"vocabulary": VOCABULARY}),
        (GOLDEN / "plain_dynamic.tflite", {"synthetic_ids": True}),
        (GOLDEN / "plain_int8.tflite", {"synthetic_ids": True}),
    ],
    ids=lambda value: value.stem if isinstance(value, Path) else None,
)
def test_answers_are_those_of_each_input_alone(model: Path, changes: dict) -> None:
    plan = Plan(models=(model,), texts=builtin_texts(4), runs=3, **changes)
    worker = WorkerProcess(model.name)
    binding = bind_inputs(model.name, worker.ask("open", path=str(model), threads=1)["inputs"])
    worker.close()
    feed = feed_model(plan, 0, model.name, binding, binding.length)
    reference = take_reference(model, model.name, (0, 1, None), binding, feed, plan.runs)
    by_length = sorted(feed.inputs, key=lambda each: each.length)
    alone = [
        answer_alone(
            model,
            {
                tensor: np.asarray([each.rows[role]], dtype)
                for tensor, role, dtype in zip(binding.tensors, binding.roles, binding.dtypes, strict=True)
            },
        )
        for each in by_length
    ]
    assert np.array_equal(reference.answers, np.concatenate(alone).astype(np.float64))
    assert len({answer.tobytes() for answer in alone}) > 1
