"""A whole run of a tiny teacher and its student, made once."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgebert.pipeline.config import CompressConfig
from edgebert.pipeline.config_file import build_config
from edgebert.pipeline.outcome import Outcome
from tests.cli.labelled import encoder, files_of

SETTINGS: dict[str, Any] = {
    "finetune": {"epochs": 3, "batch_size": 8, "learning_rate": 1e-2},
    "distill": {
        "layers": 1,
        "start": "from_layers",
        "recipes": ["logits_only"],
        "epochs": 2,
        "learning_rates": 1e-2,
    },
    "convert": {"precisions": ["dynamic"]},
    "verify": {"clients": ["litert"], "texts": 2},
    "benchmark": {"runs": 5, "texts": 2},
}


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With two layers of a golden encoder, `bert`, and small labelled files."""
    folder = tmp_path_factory.mktemp("pipeline")
    encoder(folder, layers=2)
    files_of(folder)
    return folder


@pytest.fixture(scope="session")
def configure(place: Path) -> Callable[..., CompressConfig]:
    def configured(*layers: dict[str, Any]) -> CompressConfig:
        data = {"train": str(place / "train.csv"), "dev": str(place / "dev.csv")}
        return build_config({"teacher": str(place / "bert"), "data": data, **SETTINGS}, *layers)

    return configured


@pytest.fixture(scope="session")
def made(place: Path, configure: Callable[..., CompressConfig]) -> Outcome:
    """The run in `place`/run."""
    from edgebert.pipeline.request import prepare
    from edgebert.pipeline.running import compress

    return compress(prepare(configure()), place / "run")


def result_of(folder: Path, stage: str) -> Any:
    return json.loads((folder / stage / "stage.json").read_text())["result"]
