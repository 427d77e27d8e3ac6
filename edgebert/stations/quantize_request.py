"""What quantisation-aware training is asked for, checked as far as files and configurations go."""

from dataclasses import dataclass
from typing import Any, ClassVar

from edgebert.compression.quantizing.freezing import USUAL_FREEZE_SHARE, check_freeze_share, frozen_from
from edgebert.compression.quantizing.ranges import FULL_INT8, TRAINABLE_SCHEMES
from edgebert.config import EncoderConfig, HeadConfig
from edgebert.distill.recipe import Recipe
from edgebert.errors import TrainingError
from edgebert.export.precisions import check_pooling, check_precision
from edgebert.export.quantization.calibration import CalibrationSet, check_calibration
from edgebert.stations.healing_request import HealingRequest

USUAL_CALIBRATION_TEXTS = 256


@dataclass(frozen=True, kw_only=True)
class QuantizeRequest(HealingRequest):
    """Made, it can be carried out as far as anybody knows beforehand."""

    station: ClassVar[str] = "quantize"

    scheme: str = TRAINABLE_SCHEMES[0]
    freeze_share: float = USUAL_FREEZE_SHARE
    # Training texts, at most, that the first ranges are taken from.
    calibration_texts: int = USUAL_CALIBRATION_TEXTS

    def __post_init__(self) -> None:
        check_scheme(self.scheme)
        super().__post_init__()
        check_encoder(self.student.encoder)
        if self.scheme == FULL_INT8:
            check_integer_form(self.student.encoder, self.head)
        else:
            check_own_matrices(self.student.encoder)
        check_unscaled(self.scheme, self.recipe)
        check_freeze_share(self.freeze_share)
        if self.training.averaging:
            raise TrainingError(
                f"training averaging: expected 0, since ranges would belong to other weights than the averages, got "
                f"{self.training.averaging}. Do: leave --averaging out."
            )
        if self.calibration_texts < 1:
            raise TrainingError(
                f"calibration texts: expected 1 or more, got {self.calibration_texts}. Do: leave it out, or correct it."
            )

    @property
    def steps(self) -> int:
        return self.steps_per_epoch * self.training.epochs

    @property
    def frozen_from(self) -> int:
        """Steps after which ranges stand still."""
        return frozen_from(self.steps, self.freeze_share)

    @property
    def first_kept_epoch(self) -> int:
        return self.frozen_from // self.steps_per_epoch + 1

    def calibration(self) -> CalibrationSet:
        """Of the training texts, evenly taken; what the dev score is taken on stays out of it."""
        available = self.encoded[0].encoded
        count = min(self.calibration_texts, len(available))
        chosen = tuple(available[number * len(available) // count] for number in range(count))
        check_calibration(chosen, self.tokenizer, self.train.source)
        return CalibrationSet(chosen, self.train.source, self.train.sha256, len(available))

    def to_json(self) -> dict[str, Any]:
        """Everything that the result depends on."""
        return self.made_from() | {
            "scheme": self.scheme,
            "freeze_share": self.freeze_share,
            "calibration_texts": self.calibration_texts,
        }


def check_scheme(scheme: str) -> None:
    check_precision(scheme)
    if scheme in TRAINABLE_SCHEMES:
        return
    raise TrainingError(
        f"scheme: expected one that a student can be trained for ({', '.join(TRAINABLE_SCHEMES)}), got {scheme}: its "
        "activations have no ranges that training moves. Do: train for one of these, or convert to it (edgebert "
        f"convert --precision {scheme})."
    )


def check_encoder(config: EncoderConfig) -> None:
    if config.blocks != config.layers:
        raise TrainingError(
            f"student: expected a block of its own for each of {config.layers} layers, got {config.blocks} (as ALBERT "
            "shares them), where one range would have to fit several places. Do: distil into a student with layers of "
            "its own, or calibrate (edgebert convert --precision static --calibration FILE)."
        )
    if config.bottleneck is not None:
        raise TrainingError(
            "student: expected blocks as wide inside as outside, got MobileBERT's bottleneck. Do: distil into a "
            "student without one, or calibrate (edgebert convert --precision static --calibration FILE)."
        )


def check_unscaled(scheme: str, recipe: Recipe | None) -> None:
    """Training starts from other values with the same answers: channels around attention are evened out, which moves
    its relations, and in full-int8 all others too."""
    terms = [] if recipe is None else recipe.terms
    scaled = [
        term.objective
        for term in terms
        if "relations" in term.facts.options or (term.facts.projected and scheme == FULL_INT8)
    ]
    if scaled:
        raise TrainingError(
            f"recipe: expected one that compares nothing whose channels {scheme} evens out, got {recipe.name} with "
            f"{', '.join(scaled)}. Do: leave the recipe of this training out (--recipe, of compress "
            "--quantize-recipe), or give logits_only."
        )


def check_own_matrices(config: EncoderConfig) -> None:
    """Ranges are told by layer, and layers found in the graph by their matrices."""
    if config.normalization == "no_norm":
        raise TrainingError(
            "student: expected LayerNorm for static, got NoNorm, whose scales the converter multiplies into the "
            f"matrices behind it. Do: train for {FULL_INT8} (edgebert quantize --scheme {FULL_INT8}), or calibrate "
            "(edgebert convert --precision static --calibration FILE)."
        )


def check_integer_form(config: EncoderConfig, head: HeadConfig) -> None:
    """What full-int8 needs beside: an operator for everything that knows integers, and none that rounds all away."""
    if config.normalization != "no_norm":
        raise TrainingError(
            f"student: expected NoNorm for {FULL_INT8}, got {config.normalization}, whose squares 256 steps do not "
            "hold. Do: distil it into one with NoNorm (edgebert distill --start STUDENT --normalization no_norm "
            "--activation relu --pooling first), or train for static."
        )
    check_pooling(FULL_INT8, head.pooling)
