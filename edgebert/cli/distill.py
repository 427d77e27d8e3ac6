"""`edgebert distill`: a small student learns a task from one teacher or several."""

import argparse
import json
from pathlib import Path

from edgebert.cli.data_arguments import add_data_arguments, read_train_and_dev
from edgebert.cli.output import note
from edgebert.cli.parsing import byte_count, numbers
from edgebert.cli.training_arguments import add_result_arguments, add_training_arguments, checkpoint_settings

HELP = "train a small student from a fine-tuned teacher, by TinyBERT's, DistilBERT's, MiniLM's or your own recipe"
EXAMPLES = """\
  edgebert distill --teacher runs/teacher --data snips --output runs/student --dry-run
  edgebert distill --teacher runs/teacher --data snips --output runs/student
  edgebert distill --teacher runs/teacher --train augmented.jsonl.gz --dev dev.tsv --output runs/student \\
      --student tiny4 --epochs 10,3 --learning-rate 5e-5,3e-5
  edgebert distill --teacher runs/teacher --data snips --output runs/small --layers 2 --recipe minilm --recipe my.toml
  edgebert distill --list-recipes

By default a student of four layers starts as the truncated teacher and takes TinyBERT's two steps. A recipe of your own
is a file such as

  like = "logits_only"            # a published recipe to start from; all else replaces its fields
  temperature = 4.0
  hard_label_weight = 0.5

The folder is a checkpoint like any other. Killed or interrupted, the same command goes on where it was."""


class ListRecipes(argparse.Action):
    """Like --help: needs none of the other flags."""

    def __init__(self, option_strings, dest, help=None):
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)

    def __call__(self, parser, namespace, values, option_string=None):
        from edgebert.distill.recipe_choice import explanations

        print("\n".join(f"{name}\n    {text}" for name, text in explanations().items()), flush=True)
        parser.exit()


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
    _add_student_arguments(parser.add_argument_group("student"))
    recipes = parser.add_argument_group("recipe")
    recipes.add_argument(
        "--recipe",
        action="append",
        metavar="NAME|FILE",
        help="a published recipe, or a .toml or .json file; given several times, step after step (default: tinybert)",
    )
    recipes.add_argument("--list-recipes", action=ListRecipes, help="explain each published recipe in a line")
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
    add_result_arguments(parser)


def _add_student_arguments(group: "argparse._ArgumentGroup") -> None:
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
        "--importance-examples", type=int, default=512, metavar="N", help="texts it is measured on (default: 512)"
    )


def run(arguments: argparse.Namespace) -> int:
    from edgebert.cli.distillation_report import plan_as_json, plan_as_text, result_as_json, result_as_text
    from edgebert.cli.progress_line import ProgressLine
    from edgebert.stations.distilling import check_request, distil_checkpoint

    request = _request(arguments)
    for remark in request.plan.notes:
        note(remark)
    if arguments.dry_run:
        check_request(request, arguments.output, replace=arguments.force)
        print(json.dumps(plan_as_json(request), indent=1) if arguments.json else plan_as_text(request))
        return 0
    with ProgressLine(arguments.quiet) as report:
        done = distil_checkpoint(
            request, arguments.output, report, checkpoint_settings(arguments), replace=arguments.force
        )
    if done.found:
        note(f"{arguments.output} was finished before with the same inputs; nothing was trained")
    if arguments.json:
        print(json.dumps(result_as_json(arguments.output, request, done), indent=1))
    else:
        print(result_as_text(arguments.output, request, done))
    return 0


def _request(arguments: argparse.Namespace) -> "DistilRequest":  # noqa: F821 - imported late, see the package's docstring
    from edgebert.models.checkpoint import load_checkpoint
    from edgebert.models.sources import resolve_checkpoint
    from edgebert.stations.result_folder import require_free, work_folder

    require_free(arguments.output)
    sources = [resolve_checkpoint(teacher, allow_download=arguments.allow_download) for teacher in arguments.teacher]
    teachers = tuple(load_checkpoint(source) for source in sources)

    # TensorFlow is loaded here.
    from edgebert.distill.planning import TrainingChoices, choose_start
    from edgebert.distill.recipe_choice import choose_recipes, parse_layer_map
    from edgebert.distill.running import CacheSettings
    from edgebert.stations.distil_request import DistilRequest, label_order, task_head
    from edgebert.training.settings import TrainingSettings

    head = task_head(teachers[0])
    start = choose_start(arguments.start, arguments.importance, arguments.importance_examples, arguments.seed)
    recipes = choose_recipes(arguments.recipe or ["tinybert"], head.kind)
    common = TrainingSettings(
        batch_size=arguments.batch_size,
        warmup_share=arguments.warmup,
        weight_decay=arguments.weight_decay,
        seed=arguments.seed,
        arithmetic=arguments.arithmetic,
    )
    regression = head.kind == "regression"
    train, dev = read_train_and_dev(
        arguments,
        None if arguments.dry_run else work_folder(arguments.output),
        labels=None if regression else label_order(teachers[0]),
        regression=regression or None,
    )
    return DistilRequest(
        teachers,
        train,
        dev,
        recipes,
        _shape(arguments, start, teachers[0].encoder),
        start,
        layer_map=None if arguments.layer_map is None else parse_layer_map(arguments.layer_map),
        training=TrainingChoices(common, arguments.epochs, arguments.learning_rate, arguments.patience),
        cache=CacheSettings(budget_bytes=arguments.cache_budget),
        length=arguments.length,
    )


def _shape(arguments: argparse.Namespace, start, teacher) -> "StudentShape":  # noqa: F821 - imported late
    from edgebert.distill.student_shapes import StudentShape, choose_shape
    from edgebert.errors import TrainingError

    given = StudentShape(
        arguments.layers, arguments.width, arguments.heads, arguments.feed_forward, arguments.embedding_width
    )
    if start.folder is not None and (arguments.student or given != StudentShape()):
        raise TrainingError(
            f"student: expected no shape beside --start {start.folder}, which has its own, got one. Do: leave out "
            "--student and its numbers."
        )
    return choose_shape(arguments.student, given, start.method, teacher)
