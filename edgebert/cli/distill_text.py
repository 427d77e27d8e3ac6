"""`edgebert distill-text`: a small student learns from an encoder on plain text, before any task."""

import argparse
from pathlib import Path

from edgebert.cli.output import counted, note
from edgebert.cli.student_arguments import (
    add_student_arguments,
    carry_out,
    chosen_start,
    load_teachers,
    planning_choices,
)
from edgebert.cli.training_arguments import add_result_arguments

DEFAULT_RECIPE = "tinybert_intermediate"
HELP = "train a small student on plain text without labels: what edgebert distill --start then begins with"
EXAMPLES = """\
  edgebert distill-text --teacher minilm --corpus wikitext/ --output runs/general --dry-run
  edgebert distill-text --teacher minilm --corpus wikitext/ --output runs/general
  edgebert distill-text --teacher minilm --corpus a.txt.gz b.tar.xz --output runs/general --layers 3 --recipe minilm \\
      --sequences 50000 --epochs 2
  edgebert distill --teacher runs/teacher --start runs/general --data snips --output runs/student
  edgebert distill-text --list-recipes

By default a student of four layers starts as the truncated teacher and takes the first of TinyBERT's steps. Part of the
text is held out; epochs are chosen by the recipe's loss on it. What the teacher learnt to answer on a task is not read.
A recipe that predicts words needs a teacher with the head that it was pre-trained with.

The folder is a checkpoint like any other. Killed or interrupted, the same command goes on where it was."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--teacher",
        required=True,
        action="append",
        metavar="CHECKPOINT",
        help="a folder, `minilm`, or a hub id (owner/name); of several, hidden states are the first one's",
    )
    parser.add_argument("--output", required=True, type=Path, metavar="FOLDER", help="where the student goes")
    data = parser.add_argument_group("data")
    data.add_argument(
        "--corpus",
        required=True,
        nargs="+",
        metavar="PATH",
        help="UTF-8 text, a blank line between documents: .txt files, folders of them, tar archives; .gz and .xz too",
    )
    data.add_argument(
        "--sequences", type=int, metavar="N", help="at most N, equally many of each file (default: all that there are)"
    )
    add_student_arguments(parser, DEFAULT_RECIPE, _explanations)
    add_result_arguments(parser)


def _explanations() -> dict[str, str]:
    from edgebert.distill.published import GENERAL
    from edgebert.distill.recipe_choice import explanations

    return {name: text for name, text in explanations().items() if name in GENERAL}


def run(arguments: argparse.Namespace) -> int:
    request = _request(arguments)

    from edgebert.cli.distillation_report import text_result_as_text
    from edgebert.stations.distilling_text import distil_text

    return carry_out(arguments, request, distil_text, text_result_as_text)


def _request(arguments: argparse.Namespace) -> "TextRequest":  # noqa: F821 - imported late, see the package's docstring
    from edgebert.cli.progress_line import ProgressLine
    from edgebert.stations.result_folder import require_free

    require_free(arguments.output)
    teachers = load_teachers(arguments)

    # TensorFlow is loaded here.
    from edgebert.stations.text_request import TextRequest, read_corpus, text_recipes

    start = chosen_start(arguments)
    recipes = text_recipes(arguments.recipe or [DEFAULT_RECIPE])
    choices = planning_choices(arguments, start, teachers[0].encoder)
    with ProgressLine(arguments.quiet) as report:
        text, tokens = read_corpus(teachers[0], arguments.corpus, arguments.length, arguments.sequences, report)
    note(f"corpus: {counted(len(text.files), 'file')}, {text.tokens:,} tokens")
    return TextRequest(teachers, text, tokens, recipes, **choices)
