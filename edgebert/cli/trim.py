"""`edgebert trim`: fewer pieces in the vocabulary, fewer rows in the table."""

import argparse
import json
from pathlib import Path

from edgebert.cli.corpus_arguments import add_corpus_arguments, read_corpus
from edgebert.cli.output import note
from edgebert.cli.training_arguments import add_result_arguments

HELP = "leave out the pieces of a vocabulary that a corpus does not use; any text can still be tokenised"
EXAMPLES = """\
  edgebert trim --model runs/student --data clinc150 --output runs/trimmed --dry-run
  edgebert trim --model runs/student --data clinc150 --output runs/trimmed
  edgebert trim --model runs/student --data clinc150 --output runs/trimmed --keep-pieces 10000
                                          and the vocabulary's most frequent others, for words not in the data
  edgebert trim --model minilm --texts wikitext/ --output runs/trimmed --minimum-count 5

Special tokens and all single characters stay, so every word can still be spelled: one whose piece is gone is cut into
shorter pieces, and no word becomes unknown. Texts whose pieces are all kept get the very same answers. Nothing is
trained. The phone's tokenizer needs no change: edgebert convert packs the smaller vocabulary.

What it does to text that it was not chosen by is told: to the dev data, or to a share of the plain text that is held
out. With labelled dev data the scores of a .tflite made before and after are told, too.

Trim a student when it is trained. It can learn on from its teacher's answers (`edgebert distill --start runs/trimmed
--recipe logits_only`): the teacher reads its own pieces. The folder is a checkpoint like any other."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, metavar="CHECKPOINT", help="a folder, `minilm`, or a hub id")
    parser.add_argument("--output", required=True, type=Path, metavar="FOLDER", help="where the trimmed model goes")
    add_corpus_arguments(parser)
    choice = parser.add_argument_group("what is kept")
    choice.add_argument(
        "--minimum-count",
        type=int,
        default=1,
        metavar="K",
        help="pieces that occur K times or more in the corpus (default: 1)",
    )
    choice.add_argument(
        "--keep-pieces",
        type=int,
        metavar="N",
        help="N pieces in all: of the corpus the most frequent, then others in the vocabulary's order, in which "
        "published ones are sorted by frequency (default: the corpus' alone)",
    )
    add_file_arguments(parser)
    parser.add_argument("--dry-run", action="store_true", help="check everything and print the plan; write nothing")
    add_result_arguments(parser)


def add_file_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("files that are compared").add_mutually_exclusive_group()
    group.add_argument(
        "--precision",
        default="dynamic",
        metavar="NAME",
        help="scheme of the .tflite made before and after, as of edgebert convert --list-precisions (default: dynamic)",
    )
    group.add_argument(
        "--no-files", dest="precision", action="store_const", const=None, help="make and score no .tflite"
    )


def run(arguments: argparse.Namespace) -> int:
    request = _request(arguments)

    from edgebert.cli.progress_line import ProgressLine
    from edgebert.cli.trim_report import plan_as_json, plan_as_text, result_as_json, result_as_text
    from edgebert.stations.trimming import check_request, trim_checkpoint

    if not request.kept.is_complete:
        note(
            f"pieces with a character that is no piece by itself: {request.kept.held:,}; they are kept, yet a word "
            "with such a character may become unknown"
        )
    if arguments.dry_run:
        check_request(request, arguments.output, replace=arguments.force)
        print(json.dumps(plan_as_json(request), indent=1) if arguments.json else plan_as_text(request))
        return 0
    with ProgressLine(arguments.quiet) as report:
        done = trim_checkpoint(request, arguments.output, report, replace=arguments.force)
    if done.found:
        note(f"{arguments.output} was finished before with the same inputs; nothing was made")
    if done.left_out:
        note(f"left out, not used by this model: {', '.join(done.left_out)}")
    if arguments.json:
        print(json.dumps(result_as_json(arguments.output, request, done), indent=1))
    else:
        print(result_as_text(request, done))
    return 0


def _request(arguments: argparse.Namespace) -> "TrimRequest":  # noqa: F821 - imported late, see the package's docstring
    from edgebert.data.wordpiece import WordPiece
    from edgebert.models.checkpoint import load_checkpoint
    from edgebert.models.sources import resolve_checkpoint
    from edgebert.stations.result_folder import require_free, work_folder

    require_free(arguments.output)
    checkpoint = load_checkpoint(resolve_checkpoint(arguments.model, allow_download=arguments.allow_download))
    tokenizer = WordPiece.from_folder(checkpoint.source)
    place = None if arguments.dry_run else work_folder(arguments.output)
    corpus, data = read_corpus(arguments, checkpoint, tokenizer, place)

    # TensorFlow is loaded here.
    from edgebert.compression.vocabulary.choosing import Choice
    from edgebert.stations.trimming import TrimRequest

    return TrimRequest(
        checkpoint,
        corpus,
        Choice(arguments.minimum_count, arguments.keep_pieces),
        None if data is None else data[1],
        precision=arguments.precision,
    )
