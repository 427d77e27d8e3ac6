"""`edgebert augment`: many examples out of few, for a student to learn the teacher's answers from."""

import argparse
from pathlib import Path

from edgebert.cli.data_arguments import add_data_arguments, read_train
from edgebert.cli.output import note, table

HELP = "make more training examples: replace words by likely ones (TinyBERT's augmentation)"
EXAMPLES = """\
  edgebert augment --teacher minilm --data snips --out runs/snips-augmented
  edgebert augment --teacher bert-folder --train train.csv --out runs/mine --word-vectors glove.6B.300d.txt

The folder gets `augmented/shard-*.jsonl.gz`: each example, and after it its augmentations with its label. Repeat the
command after an interruption and it goes on. Train on it with `edgebert distill --train FOLDER --dev FILE`; all shards
are one file with `cat shard-*.jsonl.gz > train.jsonl.gz`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--teacher", required=True, help="a checkpoint folder, `minilm`, or a hub id (owner/name)")
    parser.add_argument("--out", required=True, type=Path, metavar="FOLDER", help="where the shards go")
    add_data_arguments(parser)
    words = parser.add_argument_group("words")
    words.add_argument("--per-example", type=int, default=20, metavar="N", help="texts per example (default: 20)")
    words.add_argument(
        "--replace", type=float, default=0.4, metavar="P", help="probability to replace a word (default: 0.4)"
    )
    words.add_argument(
        "--candidates", type=int, default=15, metavar="K", help="words to choose from for each (default: 15)"
    )
    words.add_argument(
        "--candidates-from",
        default="auto",
        metavar="SOURCE",
        help="for words of one piece: masked-words (the teacher's pre-training head), table (the nearest in its "
        "embedding table), or auto: the head where there is one (default: auto)",
    )
    words.add_argument(
        "--word-vectors",
        type=Path,
        metavar="FILE",
        help="for words of several pieces: a text file in GloVe's format (default: the nearest words of the data)",
    )
    words.add_argument("--seed", type=int, default=0, help="(default: 0)")
    words.add_argument("--shard", type=int, default=1000, metavar="N", help="examples per shard (default: 1000)")
    parser.add_argument("--allow-download", action="store_true", help="fetch a hub id that is not in the local cache")
    parser.add_argument("--quiet", action="store_true", help="no progress")


def run(arguments: argparse.Namespace) -> int:
    from edgebert.augment.augmenting import AugmentSettings, augment
    from edgebert.cli.progress_line import ProgressLine
    from edgebert.models.sources import resolve_checkpoint

    settings = AugmentSettings(
        per_example=arguments.per_example,
        replace_probability=arguments.replace,
        candidates=arguments.candidates,
        seed=arguments.seed,
        candidates_from=arguments.candidates_from,
        examples_per_shard=arguments.shard,
    )
    if arguments.dev:
        note("--dev is not read: only training examples are augmented")
    train = read_train(arguments, arguments.out)
    teacher = resolve_checkpoint(arguments.teacher, allow_download=arguments.allow_download)
    with ProgressLine(arguments.quiet) as report:
        made = augment(train, teacher, arguments.out, settings, arguments.word_vectors, report)
    note(f"candidates: {made.candidates}")
    header = ("folder", "shards", "examples", "augmentations", "made now", "seconds", "sentences/s")
    row = (
        made.folder,
        made.shards,
        f"{made.originals:,}",
        f"{made.texts:,}",
        f"{made.new_texts:,}",
        f"{made.seconds:.1f}",
        f"{made.texts_per_second:,.0f}" if made.new_texts else "-",
    )
    print(table(header, [row]))
    return 0
