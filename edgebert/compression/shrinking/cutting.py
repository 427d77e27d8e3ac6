"""One step of shrinking: what matters least goes, and what stays is refitted to stand in for it."""

from dataclasses import dataclass, field

import numpy as np

from edgebert.config import EncoderConfig
from edgebert.data.batches import EncodedDataset
from edgebert.errors import TrainingError
from edgebert.models.loading import model_tensors
from edgebert.models.task import TaskModel
from edgebert.progress import Report, silent
from edgebert.truncation.choosing import Kept, choose, most_important, shares
from edgebert.truncation.magnitude import magnitude_importance
from edgebert.truncation.measuring import MeasureSettings, measure, sample
from edgebert.truncation.truncating import truncated
from edgebert.truncation.values import Importance, Source, TeacherSpread

IMPORTANCES = ("taylor", "magnitude")


@dataclass(frozen=True, slots=True)
class Ranking:
    """What parts are ranked by. taylor is measured on so many examples; magnitude needs none, but refits nothing."""

    importance: str = "taylor"
    examples: int = 512
    seed: int = 0

    def __post_init__(self) -> None:
        for name, holds, expected in (
            ("importance", self.importance in IMPORTANCES, " or ".join(IMPORTANCES)),
            ("examples", self.examples >= 1, "1 or more"),
        ):
            if not holds:
                raise TrainingError(f"{name}: expected {expected}, got {getattr(self, name)}. Do: correct it.")

    def texts(self, data: EncodedDataset) -> EncodedDataset:
        """Those that importance is measured on."""
        return sample(data, self.settings)

    @property
    def settings(self) -> MeasureSettings:
        return MeasureSettings(self.examples, seed=self.seed)


DEFAULT_RANKING = Ranking()


@dataclass(frozen=True)
class Cut:
    config: EncoderConfig
    # Every variable of the smaller model.
    tensors: dict[str, np.ndarray] = field(repr=False)
    kept: Kept
    # The part of all importance that was kept, 0 to 1, of each kind of part.
    importance_kept: dict[str, float]


def cut(
    model: TaskModel, smaller: EncoderConfig, ranking: Ranking, data: EncodedDataset, report: Report = silent
) -> Cut:
    """The model with as many parts as `smaller` has. data: labelled, or with a teacher's logits as targets [N, C]."""
    importance, spread = _importance(model, ranking, data, report)
    layers = most_important(importance.layers, smaller.layers)
    kept = choose(importance, smaller, model.config, tuple(layer + 1 for layer in layers))
    tensors = truncated(_source(model), smaller, model.head_config, kept, spread)
    total = float(np.sum(importance.layers))
    of_layers = float(np.sum(importance.layers[list(layers)])) / total if total else 1.0
    return Cut(smaller, tensors, kept, {"layers": of_layers, **shares(kept, importance)})


def _importance(
    model: TaskModel, ranking: Ranking, data: EncodedDataset, report: Report
) -> tuple[Importance, TeacherSpread | None]:
    if ranking.importance == "magnitude":
        return magnitude_importance(_source(model)), None
    return measure(model, data, ranking.settings, report)


def _source(model: TaskModel) -> Source:
    return Source(model.config, model.head_config, model_tensors(model))
