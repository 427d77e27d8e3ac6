"""The flags of a command that compresses a trained student in training: whom it learns from meanwhile, and how."""

import argparse
import json
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from edgebert.cli.data_arguments import read_train_and_dev
from edgebert.cli.output import note
from edgebert.cli.parsing import byte_count
from edgebert.cli.training_arguments import add_training_arguments, checkpoint_settings, training_settings

if TYPE_CHECKING:
    from edgebert.models.checkpoint import Checkpoint
    from edgebert.stations.healing_request import HealingRequest

USUAL_RECIPE = "distilbert_task"


def add_student_and_teachers(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--student", required=True, metavar="FOLDER", help=f"{what}; it knows the task")
    parser.add_argument(
        "--teacher",
        action="append",
        default=[],
        metavar="FOLDER",
        help="whom it learns from while it heals (default: nobody, but the labels)",
    )


def add_healing_arguments(parser: argparse.ArgumentParser) -> None:
    training = add_training_arguments(parser)
    training.add_argument(
        "--recipe",
        metavar="NAME|FILE",
        help=f"how a teacher heals: a recipe of one step (edgebert distill --list-recipes; default: {USUAL_RECIPE})",
    )
    training.add_argument("--epochs", type=int, default=3, metavar="N", help="(default: 3)")
    training.add_argument("--learning-rate", type=float, default=5e-5, metavar="X", help="(default: 5e-5)")
    training.add_argument(
        "--patience", type=int, default=2, metavar="N", help="stop after N epochs without a better one (default: 2)"
    )
    training.add_argument(
        "--cache-budget",
        type=byte_count,
        default="4G",
        metavar="BYTES",
        help="keep the teacher's answers on disk if they take no more (default: 4G; 0 never)",
    )


def load_student_and_teachers(arguments: argparse.Namespace) -> "list[Checkpoint]":
    from edgebert.models.checkpoint import load_checkpoint
    from edgebert.models.sources import resolve_checkpoint

    names = (arguments.student, *arguments.teacher)
    return [load_checkpoint(resolve_checkpoint(name, allow_download=arguments.allow_download)) for name in names]


def healing_fields(arguments: argparse.Namespace, checkpoints: "list[Checkpoint]") -> dict[str, Any]:
    """The fields of a HealingRequest; the data is read here. TensorFlow is loaded."""
    from edgebert.distill.running import CacheSettings
    from edgebert.stations.distil_request import label_order
    from edgebert.stations.healing_request import one_step_recipe, trained_head
    from edgebert.stations.result_folder import work_folder

    student, *teachers = checkpoints
    kind = trained_head(student).kind
    training = training_settings(
        arguments, epochs=arguments.epochs, learning_rate=arguments.learning_rate, patience=arguments.patience
    )
    named = arguments.recipe or (USUAL_RECIPE if teachers else None)
    recipe = None if named is None else one_step_recipe(named, kind)
    train, dev = read_train_and_dev(
        arguments,
        None if arguments.dry_run else work_folder(arguments.output),
        labels=None if kind == "regression" else label_order(student),
        regression=kind == "regression",
    )
    return {
        "student": student,
        "train": train,
        "dev": dev,
        "teachers": tuple(teachers),
        "recipe": recipe,
        "training": training,
        "cache": CacheSettings(budget_bytes=arguments.cache_budget),
        "length": arguments.length,
    }


def carry_out(
    arguments: argparse.Namespace, request: "HealingRequest", check: Callable, make: Callable, shown: ModuleType
) -> int:
    """Print the plan, or `make` the compressed student and print the result, as the module `shown` shows them."""
    from edgebert.cli.progress_line import ProgressLine

    output, replace = arguments.output, arguments.force
    if arguments.dry_run:
        check(request, output, replace=replace)
        print(json.dumps(shown.plan_as_json(request), indent=1) if arguments.json else shown.plan_as_text(request))
        return 0
    with ProgressLine(arguments.quiet) as report:
        done = make(request, output, report, checkpoint_settings(arguments), replace=replace)
    if done.found:
        note(f"{output} was finished before with the same inputs; nothing was trained")
    told = shown.result_as_json(output, done)
    print(json.dumps(told, indent=1) if arguments.json else shown.result_as_text(output, request, done))
    return 0
