"""`edgebert distill`: a small student learns a task from one teacher or several."""

import argparse
from pathlib import Path

from edgebert.cli.data_arguments import add_data_arguments, read_train_and_dev, remark_on_guessing
from edgebert.cli.student_arguments import (
    add_student_arguments,
    carry_out,
    chosen_start,
    load_teachers,
    planning_choices,
)
from edgebert.cli.training_arguments import add_result_arguments

HELP = "train a small student from a fine-tuned teacher, by TinyBERT's, DistilBERT's, MiniLM's or your own recipe"
EXAMPLES = """\
  edgebert distill --teacher runs/teacher --data snips --output runs/student --dry-run
  edgebert distill --teacher runs/teacher --data snips --output runs/student
  edgebert distill --teacher runs/teacher --train runs/snips-augmented --dev dev.tsv --output runs/student \\
      --student tiny4 --epochs 10,3 --learning-rate 5e-5,3e-5
  edgebert distill --teacher runs/teacher --data snips --output runs/small --layers 2 --recipe minilm --recipe my.toml
  edgebert distill --teacher runs/teacher --data snips --output runs/integer --start runs/student \\
      --recipe logits_only --normalization no_norm --activation relu --pooling first
  edgebert distill --list-recipes

By default a student of four layers starts as the truncated teacher and takes TinyBERT's two steps. A recipe of your own
is a file such as

  like = "logits_only"            # a published recipe to start from; all else replaces its fields
  temperature = 4.0
  hard_label_weight = 0.5

Trained further with NoNorm, ReLU and the first token's row, as in the last but one, a student can become integer
throughout (edgebert quantize --scheme full-int8).

The folder is a checkpoint like any other. Killed or interrupted, the same command goes on where it was."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--teacher",
        required=True,
        action="append",
        metavar="FOLDER",
        help="a checkpoint that knows the task (edgebert finetune); of several, hidden states are the first one's",
    )
    parser.add_argument("--output", required=True, type=Path, metavar="FOLDER", help="where the student goes")
    add_data_arguments(parser)
    add_student_arguments(parser, "tinybert", _explanations)
    parser.add_argument(
        "--pooling",
        choices=("first", "mean"),
        help="what the student's head reads: the first token, which is what full-int8 can do, or the mean of all "
        "(default: the teacher's)",
    )
    add_result_arguments(parser)


def _explanations() -> dict[str, str]:
    from edgebert.distill.recipe_choice import explanations

    return explanations()


def run(arguments: argparse.Namespace) -> int:
    request = _request(arguments)

    from edgebert.cli.distillation_report import result_as_text
    from edgebert.stations.distilling import distil_checkpoint

    def make(request: "DistilRequest", *how, **flags) -> "Distilled":  # noqa: F821 - imported late
        done = distil_checkpoint(request, *how, **flags)
        remark_on_guessing(request.dev, done.dev_score)
        return done

    return carry_out(arguments, request, make, result_as_text)


def _request(arguments: argparse.Namespace) -> "DistilRequest":  # noqa: F821 - imported late, see the package's docstring
    from edgebert.stations.result_folder import require_free, work_folder

    require_free(arguments.output)
    teachers = load_teachers(arguments)

    # TensorFlow is loaded here.
    from edgebert.distill.recipe_choice import choose_recipes
    from edgebert.stations.distil_request import DistilRequest, label_order, task_head

    head = task_head(teachers[0])
    start = chosen_start(arguments)
    recipes = choose_recipes(arguments.recipe or ["tinybert"], head.kind)
    choices = planning_choices(arguments, start, teachers[0].encoder)
    regression = head.kind == "regression"
    train, dev = read_train_and_dev(
        arguments,
        None if arguments.dry_run else work_folder(arguments.output),
        labels=None if regression else label_order(teachers[0]),
        regression=regression,
    )
    return DistilRequest(teachers, train, dev, recipes, length=arguments.length, pooling=arguments.pooling, **choices)
