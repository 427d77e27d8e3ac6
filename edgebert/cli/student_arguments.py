"""The flags of a student and of how it learns, on a task as on plain text, and how a request is carried out."""

import argparse
import json
from collections.abc import Callable

from edgebert.cli.output import note
from edgebert.cli.parsing import byte_count, numbers
from edgebert.cli.training_arguments import add_training_arguments, checkpoint_settings, training_settings
from edgebert.config import ACTIVATIONS, NORMALIZATIONS


class ListRecipes(argparse.Action):
    """Like --help: needs none of the other flags. `const`: the explanations, by name."""

    def __init__(self, option_strings, dest, const, help=None):
        super().__init__(option_strings, dest, nargs=0, const=const, default=argparse.SUPPRESS, help=help)

    def __call__(self, parser, namespace, values, option_string=None):
        print("\n".join(f"{name}\n    {text}" for name, text in self.const().items()), flush=True)
        parser.exit()


def add_student_arguments(
    parser: argparse.ArgumentParser, recipe: str, explanations: Callable[[], dict[str, str]]
) -> None:
    """recipe: what is taken where nobody names one; explanations: of all that can be named."""
    _add_shape_and_start(parser.add_argument_group("student"))
    recipes = parser.add_argument_group("recipe")
    recipes.add_argument(
        "--recipe",
        action="append",
        metavar="NAME|FILE",
        help=f"a published recipe, or a .toml or .json file; given several times, step after step (default: {recipe})",
    )
    recipes.add_argument(
        "--list-recipes", action=ListRecipes, const=explanations, help="explain each published recipe in a line"
    )
    recipes.add_argument(
        "--layer-map",
        metavar="MAP",
        help="teacher layers to start from and to learn from: uniform, last, first, skip:2, or a list such as 1,3,5,6",
    )
    training = add_training_arguments(parser)
    training.add_argument(
        "--epochs", type=numbers(int), metavar="N,N", help="of all steps, or of each (default: as its recipe's authors)"
    )
    training.add_argument("--learning-rate", type=numbers(float), metavar="X,X", help="the same for the learning rate")
    training.add_argument("--patience", type=int, metavar="N", help="stop a step after N epochs without a better one")
    training.add_argument(
        "--cache-budget",
        type=byte_count,
        default="4G",
        metavar="BYTES",
        help="keep a step's teacher answers on disk if they take no more (default: 4G; 0 never)",
    )
    parser.add_argument("--dry-run", action="store_true", help="check everything and print the plan; write nothing")


def _add_shape_and_start(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--student",
        metavar="SHAPE",
        help="tiny4 (4 layers, width 312), tiny6, minilm3, minilm6, minilm12, bert_tiny, bert_mini, bert_small, "
        "bert_medium (default: tiny4)",
    )
    for name, what in (
        ("--layers", "layers"),
        ("--width", "width of the rows"),
        ("--heads", "attention heads"),
        ("--feed-forward", "width inside the feed-forward networks"),
        ("--embedding-width", "width of a low-rank word table (default: the rows')"),
    ):
        group.add_argument(name, type=int, metavar="N", help=f"{what}; without --student all others are the teacher's")
    group.add_argument(
        "--normalization",
        choices=NORMALIZATIONS,
        help="of the rows; no_norm, MobileBERT's affine map of a channel, is what full-int8 keeps its accuracy with; "
        "it starts as the map that comes closest to the layer_norm it replaces (default: the teacher's)",
    )
    group.add_argument(
        "--activation",
        choices=ACTIVATIONS,
        help="inside the feed-forward networks; relu costs integer files nothing (default: the teacher's)",
    )
    group.add_argument(
        "--start",
        default="truncated",
        metavar="START",
        help="truncated (what matters most of the teacher), from_layers (whole layers of it), random, or the folder of "
        "a student trained before (default: truncated)",
    )
    group.add_argument(
        "--importance",
        choices=("taylor", "magnitude", "random"),
        default="taylor",
        help="what truncated keeps by (default: taylor, measured on training texts)",
    )
    group.add_argument(
        "--importance-examples",
        type=int,
        default=512,
        metavar="N",
        help="texts it is measured on, and no_norm fitted (default: 512)",
    )


def load_teachers(arguments: argparse.Namespace) -> "tuple[Checkpoint, ...]":  # noqa: F821 - imported late, see the package's docstring
    from edgebert.models.checkpoint import load_checkpoint
    from edgebert.models.sources import resolve_checkpoint

    sources = [resolve_checkpoint(teacher, allow_download=arguments.allow_download) for teacher in arguments.teacher]
    return tuple(load_checkpoint(source) for source in sources)


def _chosen_shape(arguments: argparse.Namespace, start, teacher) -> "StudentShape":  # noqa: F821 - imported late
    from edgebert.distill.student_shapes import StudentShape, choose_shape

    given = StudentShape(
        arguments.layers,
        arguments.width,
        arguments.heads,
        arguments.feed_forward,
        arguments.embedding_width,
        arguments.normalization,
        arguments.activation,
    )
    return choose_shape(arguments.student, given, start, teacher)


def planning_choices(arguments: argparse.Namespace, start: "Initialisation", teacher: "EncoderConfig") -> dict:  # noqa: F821
    """The fields of a request that are the same on a task and on plain text."""
    from edgebert.distill.planning import TrainingChoices
    from edgebert.distill.recipe_choice import parse_layer_map
    from edgebert.distill.running import CacheSettings

    common = training_settings(arguments)
    return {
        "shape": _chosen_shape(arguments, start, teacher),
        "start": start,
        "layer_map": None if arguments.layer_map is None else parse_layer_map(arguments.layer_map),
        "training": TrainingChoices(common, arguments.epochs, arguments.learning_rate, arguments.patience),
        "cache": CacheSettings(budget_bytes=arguments.cache_budget),
    }


def chosen_start(arguments: argparse.Namespace) -> "Initialisation":  # noqa: F821
    from edgebert.distill.planning import choose_start

    return choose_start(arguments.start, arguments.importance, arguments.importance_examples, arguments.seed)


def carry_out(arguments: argparse.Namespace, request: "StudentRequest", make: Callable, as_text: Callable) -> int:  # noqa: F821
    """Print the plan, or `make` the student and print the result."""
    from edgebert.cli.distillation_report import plan_as_json, plan_as_text, result_as_json
    from edgebert.cli.progress_line import ProgressLine
    from edgebert.stations.making_student import check_request

    for remark in request.plan.notes:
        note(remark)
    if arguments.dry_run:
        check_request(request, arguments.output, replace=arguments.force)
        print(json.dumps(plan_as_json(request), indent=1) if arguments.json else plan_as_text(request))
        return 0
    with ProgressLine(arguments.quiet) as report:
        done = make(request, arguments.output, report, checkpoint_settings(arguments), replace=arguments.force)
    if done.found:
        note(f"{arguments.output} was finished before with the same inputs; nothing was trained")
    if arguments.json:
        print(json.dumps(result_as_json(arguments.output, request, done), indent=1))
    else:
        print(as_text(arguments.output, request, done))
    return 0
