"""What a user may say of the stages between the student and its files. Each is left out unless it is asked for; its
defaults are those of the command of its name."""

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from edgebert.compression.pruning.policy import CLASSES, USUAL_CLASSES
from edgebert.compression.pruning.schedule import KINDS
from edgebert.compression.quantizing.ranges import TRAINABLE_SCHEMES
from edgebert.errors import TrainingError
from edgebert.pipeline.setting import setting

# What the commands heal with where there is a teacher, as there always is here.
HEALING_RECIPE = "distilbert_task"


class StageConfig:
    """The table of a stage: whether it is asked for, and that nothing else is said of one that is not."""

    # Fields of which one or more must be given.
    switches: ClassVar[tuple[str, ...]]

    @property
    def is_asked(self) -> bool:
        return any(getattr(self, name) not in (None, ()) for name in self.switches)

    def check(self, table: str) -> None:
        given = [one.name for one in dataclasses.fields(self) if getattr(self, one.name) != one.default]
        if given and not self.is_asked:
            switches = {one.name: one.metadata["flag"] for one in dataclasses.fields(self) if one.name in self.switches}
            named = ", ".join(f"{table}.{name} ({flag})" for name, flag in switches.items())
            raise TrainingError(
                f"{table}.{given[0]}: expected it beside what asks for the stage, got it alone. "
                f"Do: give {named}{' or several of them' if len(switches) > 1 else ''}, or leave it out."
            )


@dataclass(frozen=True)
class ShrinkConfig(StageConfig):
    switches: ClassVar[tuple[str, ...]] = ("keep", "layers", "heads", "feed_forward", "width")

    keep: float | None = setting(
        None, "heads and neurons so that the blocks keep this share of their weights (default: all)", "--shrink"
    )
    layers: int | None = setting(None, "instead of a share: layers that remain", "--shrink-layers")
    heads: int | None = setting(None, "attention heads of every layer that remain", "--shrink-heads")
    feed_forward: int | None = setting(None, "neurons of every layer that remain", "--shrink-feed-forward")
    width: int | None = setting(None, "channels of the rows that remain", "--shrink-width")
    steps: int = setting(2, "in how many steps", "--shrink-steps")
    importance: str = setting("taylor", "what parts are kept by", "--shrink-importance", ("taylor", "magnitude"))
    importance_examples: int = setting(512, "texts it is measured on", "--shrink-importance-examples")
    epochs: int = setting(3, "of each step", "--shrink-epochs")
    learning_rate: float = setting(5e-5, "while it heals", "--shrink-learning-rate")
    patience: int = setting(2, "stop a step after N epochs without a better one", "--shrink-patience")
    recipe: str = setting(HEALING_RECIPE, "how the teacher heals: a recipe of one step", "--shrink-recipe")


@dataclass(frozen=True)
class PruneConfig(StageConfig):
    switches: ClassVar[tuple[str, ...]] = ("sparsity", "pattern")

    sparsity: float | None = setting(
        None, "share of the smallest weights that become zero (default: none, or the pattern's own)", "--prune"
    )
    pattern: str | None = setting(
        None, "cut blocks of ROWSxCOLUMNS such as 1x4, or ZEROS:OF in a row such as 2:4", "--prune-pattern"
    )
    classes: tuple[str, ...] = setting(USUAL_CLASSES, f"of which weights: {', '.join(CLASSES)}", "--prune-classes")
    exclude: tuple[str, ...] = setting((), "layers left alone, such as blocks.0", "--prune-exclude")
    schedule: str | None = setting(
        None,
        "polynomial cuts more and more, constant all at once (default: as edgebert prune)",
        "--prune-schedule",
        KINDS,
    )
    epochs: int = setting(3, "of the training that cuts and heals", "--prune-epochs")
    learning_rate: float = setting(5e-5, "while it heals", "--prune-learning-rate")
    patience: int = setting(2, "stop after N epochs without a better one", "--prune-patience")
    recipe: str = setting(HEALING_RECIPE, "how the teacher heals: a recipe of one step", "--prune-recipe")


@dataclass(frozen=True)
class QuantizeConfig(StageConfig):
    switches: ClassVar[tuple[str, ...]] = ("scheme",)

    scheme: str | None = setting(
        None,
        f"train for this precision ({' or '.join(TRAINABLE_SCHEMES)}); the last model's files then have it among them",
        "--quantize",
    )
    epochs: int = setting(3, "of training for it", "--quantize-epochs")
    learning_rate: float = setting(5e-5, "of training for it", "--quantize-learning-rate")
    patience: int = setting(2, "stop after N epochs without a better one", "--quantize-patience")
    recipe: str = setting(HEALING_RECIPE, "how the teacher heals: a recipe of one step", "--quantize-recipe")


@dataclass(frozen=True)
class TrimConfig(StageConfig):
    switches: ClassVar[tuple[str, ...]] = ("minimum_count", "keep_pieces", "texts")

    minimum_count: int | None = setting(
        None, "keep the pieces that the student's training texts have N times or more (default: all)", "--trim"
    )
    keep_pieces: int | None = setting(
        None, "keep N pieces in all, of the texts' the most frequent, then others", "--trim-pieces"
    )
    texts: tuple[str, ...] = setting(
        (), "plain text whose pieces count too: a file, folder or archive", "--trim-texts", repeat=True
    )
