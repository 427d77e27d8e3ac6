"""What a smaller word table brings and costs a trained student: bytes, dev score on the .tflite, pieces of unseen text.

    python -m benchmarks.vocabulary.run CHECKPOINT --data clinc150 --unseen snips --name clinc150
    python -m benchmarks.vocabulary.tables

The first writes `results/NAME.json`: the checkpoint as it is, trimmed to its training data's pieces and to 10,000,
and with ranks of 128 and 64 of the trimmed table, weighted by the pieces' counts; nothing is trained. Every
row has a `dynamic` and an `int4-embedding-rows` file, scored by LiteRT. `--unseen` is text of another domain. A row
that is in the file already is not made again. The second prints README's table of all results.
"""

import argparse
import gzip
import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from edgebert.cli.output import note
from edgebert.compression.vocabulary.choosing import Choice
from edgebert.compression.vocabulary.counting import Corpus, HeldOut, corpus_of_examples, texts_of
from edgebert.compression.vocabulary.factorising import RankChoice
from edgebert.compression.vocabulary.measuring import Effect, measure_effect
from edgebert.data.examples import Dataset
from edgebert.data.reading import read_examples
from edgebert.data.wordpiece import WordPiece
from edgebert.export.answering import AnsweringModel
from edgebert.export.convert import Exporter, ExportRequest
from edgebert.files import make_folder, write_atomically
from edgebert.models.checkpoint import Checkpoint, load_checkpoint
from edgebert.models.loading import load_model
from edgebert.stations.factorise_request import FactoriseRequest
from edgebert.stations.factorising import factorise_checkpoint
from edgebert.stations.trimming import TrimRequest, trim_checkpoint
from edgebert.training.scoring import METRICS, score
from edgebert.version import VERSION

RESULTS = Path(__file__).parent / "results"
PRECISIONS = ("dynamic", "int4-embedding-rows")
LARGER_VOCABULARIES = (10_000,)
RANKS = (128, 64)


def checkpoints(source: Checkpoint, corpus: Corpus, work: Path) -> Iterator[tuple[str, Path]]:
    """Each row's name and folder, made when it is asked for."""
    yield "as it is", source.source
    trimmed = work / "trimmed"
    trim_checkpoint(TrimRequest(source, corpus, precision=None), trimmed)
    yield "trimmed", trimmed
    for pieces in LARGER_VOCABULARIES:
        folder = work / f"trimmed-{pieces}"
        trim_checkpoint(TrimRequest(source, corpus, Choice(keep_pieces=pieces), precision=None), folder)
        yield f"trimmed to {pieces:,}", folder
    narrow, tokenizer = load_checkpoint(trimmed), WordPiece.from_folder(trimmed)
    counts = {
        piece: corpus.counts[number] for number, piece in enumerate(WordPiece.from_folder(source.source).vocabulary)
    }
    again = Corpus(corpus.names, _array(counts, tokenizer), corpus.held_out)
    for rank in RANKS:
        folder = work / f"rank-{rank}"
        factorise_checkpoint(FactoriseRequest(narrow, RankChoice(rank), again, precision=None), folder)
        yield f"trimmed, rank {rank}", folder


def measured(folder: Path, dev: Dataset, unseen: HeldOut, before: WordPiece, work: Path) -> dict[str, Any]:
    checkpoint, tokenizer = load_checkpoint(folder), WordPiece.from_folder(folder)
    seen = HeldOut("dev", tuple(texts_of(dev)))
    exporter = Exporter(load_model(checkpoint).model, tokenizer, {"checkpoint_sha256": checkpoint.sha256})
    return {
        "checkpoint_sha256": checkpoint.sha256,
        "pieces": len(tokenizer.vocabulary),
        "table_width": checkpoint.encoder.embedding_width,
        "parameters": sum(values.size for values in checkpoint.tensors.values()),
        "dev": _plain(measure_effect(seen, before, tokenizer)),
        "unseen": _plain(measure_effect(unseen, before, tokenizer)),
        "files": {one: _file(exporter, one, checkpoint, dev, work / f"{one}.tflite") for one in PRECISIONS},
    }


def _file(exporter: Exporter, precision: str, checkpoint: Checkpoint, dev: Dataset, path: Path) -> dict[str, Any]:
    content = exporter.export(ExportRequest(precision))
    write_atomically(path, content)
    answers = AnsweringModel(path).answer_all([(example.text, example.second_text) for example in dev.examples])
    dev_score = score(checkpoint.head, answers, dev.label_ids())
    return {"bytes": len(content), "gzipped_bytes": len(gzip.compress(content, mtime=0)), "dev_score": dev_score}


def _array(counts: dict[str, int], tokenizer: WordPiece) -> np.ndarray:
    return np.array([counts[piece] for piece in tokenizer.vocabulary], np.int64)


def _plain(effect: Effect) -> dict[str, Any]:
    """Without the name of the data, which may be a path of this machine."""
    return {name: value for name, value in effect.to_json().items() if name != "source"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", required=True, help="`clinc150`, `snips`, or a folder with train and dev files")
    parser.add_argument("--unseen", required=True, help="text of another domain, the same way")
    parser.add_argument("--name", required=True, help="of the result")
    arguments = parser.parse_args()
    source = load_checkpoint(arguments.checkpoint)
    labels = source.head.labels
    train, dev = (read_examples(arguments.data, split=split, labels=labels) for split in ("train", "dev"))
    other = read_examples(arguments.unseen, split="train")
    tokenizer = WordPiece.from_folder(source.source)
    unseen = HeldOut(Path(arguments.unseen).name, tuple(texts_of(other)))
    path = make_folder(RESULTS) / f"{arguments.name}.json"
    record = {
        "edgebert": VERSION,
        "data": Path(arguments.data).name,
        "unseen": unseen.name,
        "metric": METRICS[source.head.kind],
        "train_sha256": train.sha256,
        "dev_sha256": dev.sha256,
        "source": {"sha256": source.sha256, "encoder": asdict(source.encoder)},
        "rows": {},
    }
    if path.exists():
        found = json.loads(path.read_text())
        if {**found, "rows": {}} == json.loads(json.dumps(record)):
            record["rows"] = found["rows"]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for name, made in checkpoints(source, corpus_of_examples(train, dev, tokenizer), work):
            if name not in record["rows"]:
                record["rows"][name] = measured(made, dev, unseen, tokenizer, work)
                write_atomically(path, (json.dumps(record, indent=1) + "\n").encode())
            one = record["rows"][name]
            scores = ", ".join(f"{100 * file['dev_score']:.2f}" for file in one["files"].values())
            note(f"{arguments.name}, {name}: {one['pieces']:,} pieces, dev {scores}")


if __name__ == "__main__":
    main()
