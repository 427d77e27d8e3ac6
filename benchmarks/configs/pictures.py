"""What files keep of the teacher's score against their size, drawn: python -m benchmarks.configs.pictures"""

import html
from importlib import resources
from pathlib import Path

from benchmarks.configs.tables import RESULTS, File, datasets
from edgebert.files import write_atomically
from edgebert.report.html.scatter import Point, scatter

_PAPER = "background: var(--paper)"


def pictures() -> dict[Path, str]:
    return {RESULTS / f"{dataset}.svg": picture(dataset, files) for dataset, files in datasets().items()}


def picture(dataset: str, files: list[File]) -> str:
    """A mark's number is the file's line in the table."""
    runs = list(dict.fromkeys(file.run for file in files))
    points = [
        Point(str(number), file.name, runs.index(file.run), file.megabytes, 100 * file.row["retention"])
        for number, file in enumerate(files, 1)
    ]
    drawn = scatter(f"{dataset}: score against size", points, "size, MB", "of the teacher's score, %")
    # Alone in a file it needs what a page has around it.
    style = resources.files("edgebert.report.html").joinpath("style.css").read_text(encoding="utf-8")
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" style="{_PAPER}" '
    return (
        f"{drawn.replace('<svg ', opening, 1).replace('<title>', f'<style>{html.escape(style)}</style><title>', 1)}\n"
    )


if __name__ == "__main__":
    for path, content in pictures().items():
        write_atomically(path, content.encode())
        print(path.name)
