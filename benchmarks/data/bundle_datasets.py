"""Write the datasets that edgebert brings along, from a folder as published.

    python benchmarks/data/bundle_datasets.py snips FOLDER       (sonos/nlu-benchmark, 2017-06-custom-intent-engines)
    python benchmarks/data/bundle_datasets.py clinc150 FOLDER    (clinc/oos-eval, data)

One gzipped JSONL file per split, `{"text": ..., "intent": ...}` per line in the order of the source; CLINC150's
out-of-scope texts are in `oos_*` files of their own. The same folder gives the same bytes: no date is written.
"""

import argparse
import gzip
import json
from pathlib import Path

from edgebert.data.examples import Example
from edgebert.data.layouts import OUT_OF_SCOPE_LABEL
from edgebert.data.reading import read_examples
from edgebert.files import make_folder, write_atomically

SPLITS = {"snips": ("train", "validate"), "clinc150": ("train", "val", "test")}
BUNDLED = Path(__file__).resolve().parents[2] / "edgebert" / "data" / "bundled"


def read_split(name: str, folder: Path, split: str) -> dict[str, list[Example]]:
    """Examples by the name of the file that they go to."""
    dataset = read_examples(folder, layout=name, split=split, include_out_of_scope=name == "clinc150")
    in_scope = [example for example in dataset if example.label != OUT_OF_SCOPE_LABEL]
    out_of_scope = [example for example in dataset if example.label == OUT_OF_SCOPE_LABEL]
    return {split: in_scope, **({f"oos_{split}": out_of_scope} if out_of_scope else {})}


def as_gzipped_jsonl(examples: list[Example]) -> bytes:
    rows = (
        json.dumps({"text": example.text, "intent": example.label}, ensure_ascii=False, separators=(",", ":"))
        for example in examples
    )
    return gzip.compress("".join(row + "\n" for row in rows).encode(), compresslevel=9, mtime=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=sorted(SPLITS))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=BUNDLED, help="folder of the bundled datasets")
    arguments = parser.parse_args()
    target = make_folder(arguments.out / arguments.name)
    for split in SPLITS[arguments.name]:
        for file_name, examples in read_split(arguments.name, arguments.folder, split).items():
            path = write_atomically(target / f"{file_name}.jsonl.gz", as_gzipped_jsonl(examples))
            print(f"{path.name}: {len(examples):,} examples, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
