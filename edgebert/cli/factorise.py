"""`edgebert factorise`: the word table as two low-rank factors."""

import argparse
import json
from pathlib import Path

from edgebert.cli.corpus_arguments import add_corpus_arguments, has_corpus, has_data, read_corpus
from edgebert.cli.output import note
from edgebert.cli.parsing import byte_count
from edgebert.cli.student_arguments import load_teachers
from edgebert.cli.training_arguments import (
    add_result_arguments,
    add_training_arguments,
    checkpoint_settings,
    training_settings,
)
from edgebert.cli.trim import add_file_arguments

HELP = "replace the word table by two low-rank factors, and heal what that costs by distillation"
EXAMPLES = """\
  edgebert factorise --model runs/student --rank 128 --output runs/narrow --dry-run
  edgebert factorise --model runs/student --rank 128 --data clinc150 --output runs/narrow
                                          by what occurs: rows count as often as their pieces; scored, not trained
  edgebert factorise --model runs/student --rank 64 --data clinc150 --teacher runs/student --output runs/narrow
                                          healed by the model as it was
  edgebert factorise --model runs/student --keep-energy 0.95 --texts wikitext/ --output runs/narrow

A table of 30,522 pieces and width 312 has 9.5 million numbers, of rank 64 it has 2.0. The factors are the best of their
rank (SVD in float64); how much of the table they keep is told before anything is written. A multiple of 32 as the rank
lets convert make int4-embedding of it, where the model's width is one, too; --keep-energy chooses one.

Without --teacher nothing is trained; the scores of a .tflite made before and after tell whether that will do. With it
the model learns back in one step. Teachers must read the same tokens: trim after it, or heal by the trimmed model.

The folder is a checkpoint like any other. Killed or interrupted, the same command goes on where it was."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, metavar="CHECKPOINT", help="a folder, `minilm`, or a hub id")
    parser.add_argument("--output", required=True, type=Path, metavar="FOLDER", help="where the new model goes")
    rank = parser.add_mutually_exclusive_group(required=True)
    rank.add_argument("--rank", type=int, metavar="R", help="width of the narrow table")
    rank.add_argument(
        "--keep-energy",
        type=float,
        metavar="SHARE",
        help="the smallest multiple of 32 that keeps this share of the table's squares, such as 0.95",
    )
    add_corpus_arguments(parser)
    add_file_arguments(parser)
    healing = parser.add_argument_group("healing")
    healing.add_argument(
        "--teacher",
        action="append",
        metavar="FOLDER",
        help="a checkpoint that knows the task, such as the model itself; needs --data or --train with --dev",
    )
    healing.add_argument(
        "--recipe",
        metavar="NAME|FILE",
        help="of one step, as of edgebert distill --list-recipes (default: tinybert_joint, without projection where "
        "teacher and model are of one width)",
    )
    healing.add_argument("--epochs", type=int, metavar="N", help="(default: 3)")
    healing.add_argument("--learning-rate", type=float, metavar="X", help="(default: 5e-5)")
    healing.add_argument("--patience", type=int, metavar="N", help="stop after N epochs without a better one")
    healing.add_argument(
        "--cache-budget",
        type=byte_count,
        default="4G",
        metavar="BYTES",
        help="keep the teacher's answers on disk if they take no more (default: 4G; 0 never)",
    )
    add_training_arguments(parser)
    parser.add_argument("--dry-run", action="store_true", help="check everything and print the plan; write nothing")
    add_result_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    request = _request(arguments)

    from edgebert.cli.factorise_report import plan_as_json, plan_as_text, remarks, result_as_json, result_as_text
    from edgebert.cli.progress_line import ProgressLine
    from edgebert.stations.factorising import check_request, factorise_checkpoint

    for remark in remarks(request):
        note(remark)
    if arguments.dry_run:
        check_request(request, arguments.output, replace=arguments.force)
        print(json.dumps(plan_as_json(request), indent=1) if arguments.json else plan_as_text(request))
        return 0
    with ProgressLine(arguments.quiet) as report:
        done = factorise_checkpoint(
            request, arguments.output, report, checkpoint_settings(arguments), replace=arguments.force
        )
    if done.found:
        note(f"{arguments.output} was finished before with the same inputs; nothing was made")
    if done.left_out:
        note(f"left out, not used by this model: {', '.join(done.left_out)}")
    if arguments.json:
        print(json.dumps(result_as_json(arguments.output, done), indent=1))
    else:
        print(result_as_text(request, done))
    return 0


def _request(arguments: argparse.Namespace) -> "FactoriseRequest":  # noqa: F821 - imported late, see the package's docstring
    from edgebert.compression.vocabulary.factorising import RankChoice, check_factorisable
    from edgebert.data.wordpiece import WordPiece
    from edgebert.models.checkpoint import load_checkpoint
    from edgebert.models.sources import resolve_checkpoint
    from edgebert.stations.result_folder import require_free, work_folder

    require_free(arguments.output)
    choice = RankChoice(arguments.rank, arguments.keep_energy)
    _require_healing_is_whole(arguments)
    checkpoint = load_checkpoint(resolve_checkpoint(arguments.model, allow_download=arguments.allow_download))
    check_factorisable(checkpoint)
    corpus, data = None, None
    if has_corpus(arguments):
        place = None if arguments.dry_run else work_folder(arguments.output)
        corpus, data = read_corpus(arguments, checkpoint, WordPiece.from_folder(checkpoint.source), place)

    # TensorFlow is loaded here.
    from edgebert.stations.factorise_request import FactoriseRequest

    return FactoriseRequest(
        checkpoint,
        choice,
        corpus,
        None if data is None else data[1],
        precision=arguments.precision,
        healing=_healing(arguments, checkpoint, data) if arguments.teacher else None,
    )


def _healing(arguments: argparse.Namespace, checkpoint: "Checkpoint", data: tuple) -> "Healing":  # noqa: F821
    from edgebert.distill.planning import TrainingChoices
    from edgebert.distill.running import CacheSettings
    from edgebert.stations.factorise_request import Healing, healing_recipe

    common = training_settings(arguments)
    teachers = load_teachers(arguments)
    given = [None if value is None else (value,) for value in (arguments.epochs, arguments.learning_rate)]
    return Healing(
        teachers,
        *data,
        recipe=healing_recipe(arguments.recipe, teachers[0], checkpoint),
        training=TrainingChoices(common, *given, arguments.patience),
        cache=CacheSettings(budget_bytes=arguments.cache_budget),
        length=arguments.length,
    )


def _require_healing_is_whole(arguments: argparse.Namespace) -> None:
    from edgebert.errors import TrainingError

    if arguments.teacher and not has_data(arguments):
        raise TrainingError(
            "--teacher: expected data of the task to heal on, got none. Do: give --data SOURCE, or --train FILE with "
            "--dev FILE."
        )
    for name in ("recipe", "epochs", "learning_rate", "patience"):
        if getattr(arguments, name) is not None and not arguments.teacher:
            flag = f"--{name.replace('_', '-')}"
            raise TrainingError(
                f"{flag}: expected --teacher beside it, got none: nothing is trained without. Do: name a teacher, or "
                f"leave {flag} out."
            )
