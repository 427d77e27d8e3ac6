"""What zeros bring: a CLINC150 student pruned further and further while its teacher heals it.

    python -m benchmarks.pruning.run --student FOLDER --teacher FOLDER --work FOLDER

prunes attention and feed-forward to 50, 70 and 90 % (2 epochs on 3,000 of the texts), makes a dynamic .tflite of each,
and writes `results.json` here: bytes, bytes gzipped, zeros counted in the file, and the dev score that LiteRT gives.
Then it prints the table. Each row is written when it is there (--sparsity asks for single ones), and what was made in
--work is not made again.
"""

import argparse
import dataclasses
import json
from pathlib import Path

from benchmarks.markdown import markdown_table
from edgebert.cli import main as edgebert
from edgebert.data.reading import read_examples
from edgebert.export.inspect import summarize
from edgebert.files import write_atomically
from edgebert.models.checkpoint import load_checkpoint
from edgebert.stations.file_comparison import compare_files

RESULTS = Path(__file__).parent / "results.json"
SPARSITIES = (0.5, 0.7, 0.9)
TRAINING = ("--epochs", "2", "--max-examples", "3000")
DATA, PRECISION = "clinc150", "dynamic"


def measure(student: str, teacher: str, sparsity: float, work: Path) -> dict[str, dict]:
    """The rows of the student as it is and pruned."""
    percent = round(100 * sparsity)
    folder, files = work / f"pruned-{percent}", work / f"files-{percent}"
    asked = ["prune", "--student", student, "--teacher", teacher, "--data", DATA, "--output", str(folder)]
    if code := edgebert([*asked, "--sparsity", str(sparsity), *TRAINING, "--quiet"]):
        raise SystemExit(code)
    dev = read_examples(DATA, split="dev", labels=load_checkpoint(student).head.labels)
    compared = compare_files(Path(student), folder, PRECISION, dev, files)
    before, after = (
        {**dataclasses.asdict(facts), "zeros": zeros_of(files / f"{name}.tflite")}
        for name, facts in (("before", compared.before), ("after", compared.after))
    )
    return {"0": before, f"{sparsity:g}": {**after, "agreement": compared.agreement}}


def zeros_of(path: Path) -> float:
    """Of all matrices, the table of words among them."""
    matrices = [weight for weight in summarize(path).weights if weight.is_matrix]
    return sum(one.zero_share * one.elements for one in matrices) / sum(one.elements for one in matrices)


def as_table(results: dict) -> str:
    rows = [
        (
            f"{100 * float(sparsity):.0f} %",
            f"{row['size_bytes']:,}",
            f"{row['gzipped_bytes']:,}",
            f"{100 * row['zeros']:.1f} %",
            f"{100 * row['dev_score']:.2f}",
            f"{100 * row['agreement']:.2f} %" if "agreement" in row else "-",
        )
        for sparsity, row in results["rows"].items()
    ]
    header = ("attention and feed-forward cut", "bytes", "gzipped", "zeros in the file", "dev accuracy", "same answers")
    return markdown_table(header, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--student", "--teacher", "--work"):
        parser.add_argument(name, required=True, metavar="FOLDER")
    parser.add_argument("--sparsity", type=float, action="append", metavar="SHARE", help="(default: 0.5, 0.7 and 0.9)")
    arguments = parser.parse_args()
    facts = {"data": DATA, "precision": PRECISION, "training": " ".join(TRAINING)}
    rows = json.loads(RESULTS.read_bytes())["rows"] if RESULTS.exists() else {}
    for sparsity in arguments.sparsity or SPARSITIES:
        rows |= measure(arguments.student, arguments.teacher, sparsity, Path(arguments.work))
        results = {**facts, "rows": {name: rows[name] for name in sorted(rows, key=float)}}
        write_atomically(RESULTS, (json.dumps(results, indent=1) + "\n").encode())
    print(as_table(results))


if __name__ == "__main__":
    main()
