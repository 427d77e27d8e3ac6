"""A training run on disk: where it stands, whole or not at all, and the best epoch's weights.

`state.safetensors` holds every trained value, the optimizer's slots and, as JSON in its header, the place reached;
`best-N.safetensors` the model after epoch N. The state names the best epoch, and that file is written before it and
removed after it, so that a kill between two writes leaves a pair that belongs together.
"""

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from edgebert.errors import CheckpointError, TrainingError
from edgebert.files import make_folder, write_atomically
from edgebert.models.tensor_file import TensorFile, float32_tensor, read_tensor_file, tensor_file_bytes
from edgebert.training.settings import EpochResult, best_epoch
from edgebert.training.watching import Watch

STATE_FILE = "state.safetensors"
BEST_FILE = "best-{}.safetensors"


@dataclass(frozen=True)
class Standing:
    """How far a run has come."""

    # Steps taken in the epoch under way, and the sums of their losses.
    step: int = 0
    sums: dict[str, float] = dataclasses.field(default_factory=dict)
    watch: Watch = dataclasses.field(default_factory=Watch)
    results: tuple[EpochResult, ...] = ()

    @property
    def epoch(self) -> int:
        """Epochs finished."""
        return len(self.results)

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        fields = json.loads(text)
        results = tuple(EpochResult(**result) for result in fields["results"])
        return cls(fields["step"], fields["sums"], Watch(**fields["watch"]), results)


class Storage:
    """The folder of one run. `key` is the hash of everything that its result depends on."""

    def __init__(self, folder: str | os.PathLike, key: str):
        self.folder, self.key = make_folder(folder), key
        for leftover in self.folder.glob(".*.partial"):
            # Of a process that was killed while it wrote.
            leftover.unlink(missing_ok=True)

    def load(self) -> tuple[Standing, dict[str, np.ndarray]] | None:
        """Where the run stood and its values; nothing, where it has not begun."""
        path = self.folder / STATE_FILE
        if not path.exists():
            return None
        file = self._read(path)
        if file.metadata.get("key") != self.key:
            raise TrainingError(
                f"{self.folder}: expected a checkpoint of this very run, got one of other data, settings or weights. "
                "Do: choose another folder, or delete this one to start anew."
            )
        return Standing.from_json(file.metadata["standing"]), _values(file)

    def save(self, standing: Standing, values: dict[str, np.ndarray]) -> None:
        self._write(STATE_FILE, values, {"key": self.key, "standing": standing.to_json()})
        kept = BEST_FILE.format(best_epoch(standing.results).epoch) if standing.results else None
        for path in self.folder.glob(BEST_FILE.format("*")):
            if path.name != kept:
                path.unlink(missing_ok=True)

    def save_best(self, epoch: int, values: dict[str, np.ndarray]) -> None:
        self._write(BEST_FILE.format(epoch), values, {"key": self.key})

    def load_best(self, epoch: int) -> dict[str, np.ndarray]:
        return _values(self._read(self.folder / BEST_FILE.format(epoch)))

    def _write(self, name: str, values: dict[str, np.ndarray], metadata: dict[str, Any]) -> None:
        broken = sorted(tensor for tensor, array in values.items() if not np.isfinite(array).all())
        if broken:
            raise TrainingError(
                f"{broken[0]}: expected finite values, got others after the last step; the checkpoint before it is "
                "kept. Do: lower the learning rate."
            )
        tensors = {tensor: float32_tensor(array) for tensor, array in values.items()}
        write_atomically(self.folder / name, tensor_file_bytes(tensors, metadata))

    def _read(self, path: Path) -> TensorFile:
        try:
            return read_tensor_file(path)
        except CheckpointError as error:
            reason = str(error).partition(": ")[2].partition(" Do: ")[0]
            raise TrainingError(f"{path}: {reason} Do: delete {self.folder} to start anew.") from error


def _values(file: TensorFile) -> dict[str, np.ndarray]:
    return {name: tensor.float32() for name, tensor in file.tensors.items()}
