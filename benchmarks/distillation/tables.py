"""The committed results of this folder as Markdown tables; trains nothing.

python -m benchmarks.distillation.tables
"""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.distillation.plan import CONFIGS, read_plan
from benchmarks.markdown import markdown_table

RESULTS = Path(__file__).parent / "results"
TEACHER = "teacher"
HEADER = ("variant", "float32 .tflite", "dynamic int8 .tflite", "of the teacher", "seeds")


def tables() -> str:
    names = sorted(path.stem for path in CONFIGS.glob("*.toml") if path.stem != "general")
    found = {name: _results(name) for name in names}
    # A teacher alone compares nothing.
    return "\n\n".join(_table(name, results) for name, results in found.items() if len(results) > 1)


def _results(dataset: str) -> dict[str, list[dict[str, Any]]]:
    """Every seed's result by variant."""
    by_variant = defaultdict(list)
    for path in sorted(RESULTS.glob(f"{dataset}-*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        by_variant[result["variant"]].append(result)
    return by_variant


def _table(dataset: str, results: dict[str, list[dict[str, Any]]]) -> str:
    plan = read_plan(dataset)
    teachers = {teacher["seed"]: teacher["scores"]["float32"] for teacher in results[TEACHER]}
    for name, found in results.items():
        if untaught := sorted({result["seed"] for result in found} - teachers.keys()):
            raise SystemExit(
                f"{dataset}, {name}: expected the result of its teacher of seed {untaught[0]}, got none. Do: python -m "
                f"benchmarks.distillation.run {dataset} teacher --seed {untaught[0]}, which finds it in --work."
            )
    described = {TEACHER: f"{plan.teacher.checkpoint}, fine-tuned"}
    described |= {name: variant.description for name, variant in plan.variants.items() if name in results}
    rows = [_row(name, description, results[name], teachers) for name, description in described.items()]
    title = f"{dataset}, {results[TEACHER][0]['dev_examples']:,} dev examples"
    return markdown_table((title, *HEADER), rows, left=2)


def _row(name: str, description: str, results: list[dict[str, Any]], teachers: dict[int, float]) -> tuple:
    """`teachers`: the score of each seed's teacher, which its students learnt from."""
    dynamic = [result["scores"]["dynamic"] for result in results]
    retained = [score / teachers[result["seed"]] for score, result in zip(dynamic, results, strict=True)]
    return (
        name,
        description,
        _spread([result["scores"]["float32"] for result in results]),
        _spread(dynamic),
        f"{np.mean(retained):.1%}",
        len(results),
    )


def _spread(scores: list[float]) -> str:
    if len(scores) == 1:
        return f"{100 * scores[0]:.2f}"
    return f"{100 * np.mean(scores):.2f} ± {100 * np.std(scores, ddof=1):.2f}"


if __name__ == "__main__":
    print(tables())
