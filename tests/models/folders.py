"""Checkpoint folders for tests: copies of the golden ones, with a field or a tensor changed."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import ml_dtypes  # noqa: F401  teaches numpy, and so the safetensors library, the name bfloat16
import numpy as np
import pytest
import safetensors.numpy

from edgebert.config import HeadConfig
from edgebert.errors import CheckpointError
from edgebert.models.checkpoint import load_checkpoint
from tests.conftest import GOLDEN
from tests.data.house_form import assert_house_form

REFERENCE = GOLDEN / "reference"
CASES = sorted(path.parent.name for path in REFERENCE.glob("*/model.safetensors"))
MEAN = HeadConfig(kind="embedding", pooling="mean")
WEIGHTS = "model.safetensors"


def copy_of(case: str, folder: Path) -> Path:
    """A copy of a golden folder inside `folder`."""
    copied = folder / case
    copied.mkdir(parents=True)
    for path in (REFERENCE / case).iterdir():
        if path.name != "expected.npz":
            shutil.copy(path, copied)
    return copied


def config_of(folder: Path) -> dict:
    return json.loads((folder / "config.json").read_text())


def change_config(folder: Path, changes: Mapping | None = None, without: tuple[str, ...] = ()) -> Path:
    config = {name: value for name, value in config_of(folder).items() if name not in without}
    (folder / "config.json").write_text(json.dumps(config | (changes or {})))
    return folder


def tensors_of(folder: Path) -> dict[str, np.ndarray]:
    """Read by the safetensors library, not by us."""
    return safetensors.numpy.load_file(folder / WEIGHTS)


def change_tensors(folder: Path, changes: Mapping[str, np.ndarray] | None = None, without: tuple[str, ...] = ()):
    tensors = {name: values for name, values in tensors_of(folder).items() if name not in without} | (changes or {})
    contiguous = {name: np.ascontiguousarray(values) for name, values in tensors.items()}
    safetensors.numpy.save_file(contiguous, folder / WEIGHTS, metadata={"format": "pt"})
    return folder


def refusal(folder: Path | str) -> str:
    """The message with which a folder is refused; in the house's form."""
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(folder)
    message = str(caught.value)
    assert_house_form(message)
    assert len(message) < 1000, message
    return message
