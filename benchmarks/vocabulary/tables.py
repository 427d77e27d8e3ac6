"""README's table of what a smaller word table brings and costs: python -m benchmarks.vocabulary.tables"""

import json
from typing import Any

from benchmarks.markdown import markdown_table
from benchmarks.vocabulary.run import PRECISIONS, RESULTS

HEADER = (
    "student",
    "table",
    "pieces",
    "rank",
    *(f"{name}, {what}" for name in PRECISIONS for what in ("MB", "gzipped", "dev")),
    "pieces a word, dev",
    "other domain",
)


def rows(result: dict[str, Any]) -> list[tuple[object, ...]]:
    width = result["source"]["encoder"]["width"]
    return [
        (
            result["data"],
            name,
            f"{one['pieces']:,}",
            one["table_width"] if one["table_width"] < width else "full",
            *(cell for precision in PRECISIONS for cell in _file(one["files"][precision])),
            *(f"{one[text]['pieces_per_word'][1]:.2f}" for text in ("dev", "unseen")),
        )
        for name, one in result["rows"].items()
    ]


def _file(one: dict[str, Any]) -> tuple[str, str, str]:
    return f"{one['bytes'] / 1e6:.2f}", f"{one['gzipped_bytes'] / 1e6:.2f}", f"{100 * one['dev_score']:.2f}"


def tables() -> str:
    results = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))]
    return markdown_table(HEADER, [row for result in results for row in rows(result)], left=2)


if __name__ == "__main__":
    print(tables())
