"""Where real models lose accuracy, and what an automatic mixture makes of them; results are committed beside this file.

The students of benchmarks/methods (TinyBERT4's shape), its NoNorm student, and the sentence embedder MiniLM:

python -m benchmarks.sensitivity.run clinc150-student-static runs/student --data clinc150 --limit 500
python -m benchmarks.sensitivity.run clinc150-student-dynamic runs/student --data clinc150 --limit 300 \
    --scheme dynamic --by class,block,part
python -m benchmarks.sensitivity.run clinc150-student-full-int8 work/integer --data clinc150 --limit 500 \
    --scheme full-int8 --by class,block,part
python -m benchmarks.sensitivity.run sst2-student-static runs/sst2-student --data FOLDER/sst2
python -m benchmarks.sensitivity.run sst2-student-auto runs/sst2-student --data FOLDER/sst2 --scheme auto --max-drop 0.5
python -m benchmarks.sensitivity.run minilm-static minilm --data snips --limit 200
python -m benchmarks.sensitivity.run minilm-auto minilm --data snips --limit 200 --scheme auto --max-drop 0.1

The first argument names the result (NAME.json and NAME.svg), the others are those of `edgebert sensitivity`. Without
arguments the committed results are printed as a table.
"""

import sys
from pathlib import Path

from benchmarks.markdown import markdown_table
from edgebert.cli import main
from edgebert.export.sensitivity.result import WEIGHT, Sensitivity, points_lost, read_sensitivity, value_of

HERE = Path(__file__).parent


def run(name: str, *arguments: str) -> int:
    return main(
        ["sensitivity", *arguments, "--name", name, "--json", str(HERE / f"{name}.json"), "--picture",
         str(HERE / f"{name}.svg")]
    )  # fmt: skip


def tables() -> str:
    rows = [_row(path.stem, read_sensitivity(path)) for path in sorted(HERE.glob("*.json"))]
    header = ("result", "texts", "float32", "file", "points lost", "worst group", "worst weight", "worst activation")
    return markdown_table(header, rows)


def _row(name: str, found: Sensitivity) -> tuple[str, ...]:
    worst = max(found.groups, key=lambda group: group.verdict.distance, default=None)
    return (
        name,
        f"{found.whole.texts:,} of {found.texts_source}",
        f"{value_of(found.float32):.4f}",
        f"{value_of(found.whole):.4f}",
        f"{points_lost(found.whole, found.float32):.2f}",
        f"{worst.group} ({worst.verdict.distance:.5f})" if worst else "-",
        _least_exact(found, is_weight=True),
        _least_exact(found, is_weight=False),
    )


def _least_exact(found: Sensitivity, is_weight: bool) -> str:
    tensors = [each for each in found.tensors if (each.role == WEIGHT) == is_weight and each.sqnr_db is not None]
    if not tensors:
        return "-"
    worst = min(tensors, key=lambda each: each.sqnr_db)
    return f"{worst.name} ({worst.sqnr_db:.1f} dB)"


if __name__ == "__main__":
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__)
    elif len(sys.argv) > 1:
        sys.exit(run(*sys.argv[1:]))
    else:
        print(tables())
