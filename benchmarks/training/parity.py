"""Whether both sides take the same step: each loss and the gradient's norm, for the same weights and the same texts.

    python -m benchmarks.training.parity --torch-python PYTHON

Without dropout, in float32. `run` checks it before it times anything, and keeps the values with the times.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.training import shapes
from benchmarks.training.with_edgebert import HEAD, Trained, inputs_of, make
from edgebert.cli.output import table
from edgebert.distill.projections import projection_tensors
from edgebert.keras import tf
from edgebert.models.checkpoint import save_checkpoint
from edgebert.models.loading import model_tensors
from edgebert.training.loop import begin

ROOT = Path(__file__).parent.parent.parent
TASKS = ("finetune", "distil", "distil-layers")
# Float32 added up in other orders, 3e-7 apart when this was written; another formula is off by far more.
TOLERANCE = 1e-5
# Of the models' random weights; at the usual .02 attention is next to even, whatever a step makes of it.
SPREAD = 3.0


def compare(torch_python: str) -> dict[str, dict[str, list[float]]]:
    """By task and name, our value and PyTorch's. Another than ours ends the program."""
    found = {}
    for task in TASKS:
        begin(1)
        made = make(task)
        for variable in made.variables.values():
            if len(variable.shape) == 2:
                variable.assign(SPREAD * variable)
        batch = shapes.chunk(0)[0]
        ours = _values(made, batch)
        theirs = _theirs(torch_python, task, made, batch)
        if ours.keys() != theirs.keys():
            raise SystemExit(f"{task}: expected the terms {', '.join(ours)}, got {', '.join(theirs)}")
        found[task] = {name: [value, theirs[name]] for name, value in ours.items()}
    for task, values in found.items():
        for name, (ours, theirs) in values.items():
            if not abs(ours - theirs) <= TOLERANCE * abs(ours):
                raise SystemExit(f"{task}: expected PyTorch's {name} to be ours, {ours:.6g}, got {theirs:.6g}")
    return found


def _values(made: Trained, batch: shapes.Batch) -> dict[str, float]:
    inputs = {name: tf.constant(values) for name, values in inputs_of(batch.ids).items()}
    with tf.GradientTape() as tape:
        losses = made.losses(inputs, tf.constant(batch.labels), False)
        total = tf.add_n(list(losses.values()))
    gradients = [one for one in tape.gradient(total, list(made.variables.values())) if one is not None]
    # A table's rows that stand in several places add up before they are squared.
    squares = [np.square(tf.convert_to_tensor(one).numpy().astype(np.float64)).sum() for one in gradients]
    return {name: float(value) for name, value in losses.items()} | {"gradient_norm": float(np.sqrt(sum(squares)))}


def _theirs(torch_python: str, task: str, made: Trained, batch: shapes.Batch) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part, model in (("student", made.student), ("teacher", made.teacher)):
            if model is not None:
                save_checkpoint(folder / part, model_tensors(model), model.config, HEAD)
        given = {"ids": batch.ids, "labels": batch.labels}
        if made.distiller is not None:
            tensors = projection_tensors(made.distiller.projections)
            given |= {name.removeprefix("shared."): values for name, values in tensors.items()}
        np.savez(folder / "given.npz", **given)
        command = [torch_python, "-m", "benchmarks.training.parity_in_pytorch", str(folder), task]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if ran.returncode:
            raise SystemExit(f"{task} in PyTorch: did not finish\n{ran.stderr}")
        return json.loads(ran.stdout.splitlines()[-1])


def as_text(found: dict[str, dict[str, list[float]]]) -> str:
    rows = [
        (task, name, *(f"{value:.6g}" for value in pair), f"{abs(pair[0] / pair[1] - 1):.1e}")
        for task, values in found.items()
        for name, pair in values.items()
    ]
    return table(("step", "value", "edgebert", "PyTorch", "apart"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch-python", required=True, help="an interpreter that has torch and transformers")
    parser.add_argument("--json", action="store_true", help="the values as JSON")
    arguments = parser.parse_args()
    found = compare(arguments.torch_python)
    print(json.dumps(found) if arguments.json else as_text(found))


if __name__ == "__main__":
    main()
