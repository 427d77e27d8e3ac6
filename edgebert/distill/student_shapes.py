"""What a student looks like beside its teacher: named published shapes, or numbers of one's own."""

import dataclasses
from dataclasses import dataclass

from edgebert.config import EncoderConfig, HeadConfig
from edgebert.distill.initialisation.starting import Initialisation
from edgebert.distill.wording import nearest
from edgebert.errors import CheckpointError, TrainingError


@dataclass(frozen=True, slots=True)
class StudentShape:
    """What is None is the teacher's."""

    layers: int | None = None
    width: int | None = None
    heads: int | None = None
    feed_forward_width: int | None = None
    # Narrower than the width: a low-rank word table, widened in the graph.
    embedding_width: int | None = None
    # NoNorm and ReLU where the student is to be integer throughout: int8 holds LayerNorm's squares badly.
    normalization: str | None = None
    activation: str | None = None

    @property
    def functions(self) -> dict[str, str]:
        """What can be changed of a student that was trained before: what its weights are used for, not their number."""
        named = {"normalization": self.normalization, "activation": self.activation}
        return {name: value for name, value in named.items() if value is not None}

    @property
    def has_numbers(self) -> bool:
        return dataclasses.replace(self, normalization=None, activation=None) != StudentShape()

    def replaced_by(self, other: "StudentShape") -> "StudentShape":
        """With the numbers that `other` names in the place of these."""
        named = {name: value for name, value in dataclasses.asdict(other).items() if value is not None}
        return dataclasses.replace(self, **named)


SHAPES = {
    # Jiao et al. 2019.
    "tiny4": StudentShape(4, 312, 12, 1200),
    "tiny6": StudentShape(6, 768, 12, 3072),
    # Wang et al. 2020, and sentence-transformers' L3.
    "minilm3": StudentShape(3, 384, 12, 1536),
    "minilm6": StudentShape(6, 384, 12, 1536),
    "minilm12": StudentShape(12, 384, 12, 1536),
    # Turc et al. 2019.
    "bert_tiny": StudentShape(2, 128, 2, 512),
    "bert_mini": StudentShape(4, 256, 4, 1024),
    "bert_small": StudentShape(4, 512, 8, 2048),
    "bert_medium": StudentShape(8, 512, 8, 2048),
}


def named_shape(name: str) -> StudentShape:
    if name not in SHAPES:
        raise TrainingError(
            f"student: expected one of {', '.join(SHAPES)}, got {name!r}. Do: write {nearest(name, SHAPES)}, or give "
            "layers, width, heads and feed-forward width."
        )
    return SHAPES[name]


def choose_shape(
    name: str | None, numbers: StudentShape, start: Initialisation, teacher: EncoderConfig
) -> StudentShape:
    """The shape of that name with these numbers in it. Without a name the numbers change the teacher's own; without
    either it is half the teacher's layers where whole layers are taken over, else TinyBERT's four."""
    if start.folder is not None and (name or numbers.has_numbers):
        raise TrainingError(
            f"student: expected no shape beside the start {start.folder}, which has its own, got one. Do: leave out "
            "the student's name and its numbers."
        )
    if name is not None:
        return named_shape(name).replaced_by(numbers)
    if numbers.has_numbers:
        return numbers
    usual = StudentShape(max(teacher.layers // 2, 1)) if start.method == "from_layers" else SHAPES["tiny4"]
    return usual.replaced_by(numbers)


def student_config(teacher: EncoderConfig, head: HeadConfig, shape: StudentShape) -> EncoderConfig:
    """The teacher's encoder with the shape's numbers and blocks of its own; a pooler only where the head reads it."""
    if shape.layers is not None and shape.layers < 1:
        raise _wrong("layers: expected a positive number, got " + str(shape.layers))
    fields = {
        "layers": shape.layers or teacher.layers,
        "heads": teacher.heads if shape.heads is None else shape.heads,
        "width": teacher.width if shape.width is None else shape.width,
        "feed_forward_width": (
            teacher.feed_forward_width if shape.feed_forward_width is None else shape.feed_forward_width
        ),
        "pooler": head.pooling == "pooler",
    }
    if (fields["width"], fields["heads"]) != (teacher.width, teacher.heads):
        # What is left of a teacher whose heads were removed says nothing about another shape.
        fields["own_head_width"] = None
    # One block for all layers is ALBERT's idea of a model; any other sharing is by number and means nothing here.
    fields["layer_blocks"] = (0,) * fields["layers"] if teacher.blocks == 1 < teacher.layers else ()
    fields |= _embeddings(teacher, fields["width"], shape.embedding_width)
    fields |= shape.functions
    try:
        return dataclasses.replace(teacher, **fields)
    except CheckpointError as error:
        raise _wrong(str(error).removeprefix("config.").partition(". Do: ")[0]) from error


def _embeddings(teacher: EncoderConfig, width: int, embedding_width: int | None) -> dict[str, object]:
    """How words become rows, and MobileBERT's narrow blocks, which only fit its own width."""
    if width == teacher.width and embedding_width in (None, teacher.embedding_width):
        return {}
    plain = {"bottleneck": None, "trigram": False}
    if teacher.bottleneck is not None:
        plain |= {"normalization": "layer_norm"}
    if embedding_width is None or embedding_width == width:
        return {**plain, "projection": "none", "embedding_width": width}
    if not 0 < embedding_width < width:
        raise _wrong(f"embedding_width: expected 1 to the student's width of {width}, got {embedding_width}")
    return {**plain, "projection": "before_sum", "embedding_width": embedding_width}


def _wrong(text: str) -> TrainingError:
    return TrainingError(f"student {text}. Do: change the student's shape.")
