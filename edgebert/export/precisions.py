"""The schemes that a file can be made in: the one table that everything which knows them reads.

Every scheme starts from the same float32 graph, so that two files of one model differ in their numbers alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgebert.errors import ArtefactError
from edgebert.export.quantization import schemes

if TYPE_CHECKING:
    from collections.abc import Callable

_FLOAT32, _FLOAT16, _INT8, _INT16, _INT4 = (
    frozenset({name}) for name in ("float32", "float16", "int8", "int16", "int4")
)
DENSE, PRODUCT = "FULLY_CONNECTED", "BATCH_MATMUL"


@dataclass(frozen=True)
class Demand:
    """What a scheme means in a file, which `require` holds it to."""

    weights: frozenset[str]
    """Types of the matrices that activations are multiplied with."""
    tables: frozenset[str]
    """Types of the largest table; others may also be as the matrices."""
    products: Mapping[str, frozenset[str]]
    """By operator, the types of what it is given and returns."""
    is_integer_throughout: bool = False
    """No operator computes with floats; one DEQUANTIZE an output may hand the answer over as float32."""


@dataclass(frozen=True)
class Precision:
    name: str
    # One paragraph: what is narrow, what is not, which runtime, which hardware. Shown by --list-precisions.
    description: str
    demand: Demand
    quantize: "Callable[[bytes, bool, Sequence[Mapping[str, np.ndarray]]], bytes]"
    # The oldest runtime that runs a BERT in it, and with a single scale a matrix, where that is older.
    runtime: str
    runtime_per_tensor: str | None = None
    needs_calibration: bool = False
    # Elements of a table's row that share a scale; the row's width must be a multiple.
    table_block: int = 1


def _demand(weights: frozenset[str], tables: frozenset[str], dense: frozenset[str], product: frozenset[str]) -> Demand:
    return Demand(weights, tables, {DENSE: dense, PRODUCT: product})


PRECISIONS: dict[str, Precision] = {
    precision.name: precision
    for precision in (
        Precision(
            "float32",
            "Everything is float32: the reference that the others are held against. Any runtime from 2.9 on, any CPU.",
            _demand(_FLOAT32, _FLOAT32, _FLOAT32, _FLOAT32),
            schemes.float32,
            runtime="2.9",
        ),
        Precision(
            "float16",
            "Weights are stored as float16 and computed with as float32: half the bytes, the same speed and answers on "
            "a CPU; GPUs compute in float16. Any runtime from 2.9 on.",
            _demand(_FLOAT16, _FLOAT16, _FLOAT32, _FLOAT32),
            schemes.float16,
            runtime="2.9",
        ),
        Precision(
            "dynamic",
            "Weights are int8, one scale an output channel and one a row of the tables; each dense layer quantises its "
            "input on the fly and returns float32, and attention, softmax and norms are float32. A quarter of the "
            "bytes, needs no texts, the default for CPUs; on Cortex-A53, which has no int8 dot products, hybrid and "
            "static take more instructions. Runtime 2.18; with one scale a matrix, at a price in accuracy, any from "
            "2.9 on.",
            _demand(_INT8, _INT8, _FLOAT32, _FLOAT32),
            schemes.dynamic,
            runtime="2.18",
            runtime_per_tensor="2.9",
        ),
        Precision(
            "hybrid",
            "As dynamic, and the two matrix products of attention are int8 with ranges from calibration texts; "
            "softmax, norms and the residual are float32. As accurate as dynamic to .001 of a cosine, and faster on "
            "CPUs with int8 dot products: on Cortex-A55 it takes the fewest instructions of a model with LayerNorm, on "
            "Cortex-A53, without them, 3 to 5 % more than dynamic. Runtime 2.18.",
            _demand(_INT8, _INT8, _FLOAT32, _INT8),
            schemes.hybrid,
            runtime="2.18",
            needs_calibration=True,
        ),
        Precision(
            "static",
            "Every dense layer and both products of attention compute in int8 from end to end, with ranges from "
            "calibration texts or from training (edgebert quantize); channels are evened out first (smoothing, "
            "equalisation), and softmax, GELU, norms and the residual are float32. The fastest on x86 with VNNI, and "
            "the fewest instructions of a model with LayerNorm on Cortex-A76 and later; on Cortex-A55 as many as "
            "dynamic, on Cortex-A53 12 to 14 % more. Runtime 2.18; with one scale a table, at hardly any price, "
            "2.9.",
            _demand(_INT8, _INT8, _INT8, _INT8),
            schemes.static,
            runtime="2.18",
            runtime_per_tensor="2.9",
            needs_calibration=True,
        ),
        Precision(
            "full-int8",
            "Every operator is integer, softmax, norms and the residual too; only the answer is handed over as float32 "
            "by one last operator, which --integer-output takes away. For NPUs and DSPs that take nothing else: CPUs "
            "run softmax and GELU of it slowly, and static of the same student is the faster file on x86. It fits "
            "students with NoNorm and ReLU, whose channels are evened out in the weights at no cost, by calibration or "
            "by training (edgebert distill --start STUDENT --normalization no_norm makes one, edgebert quantize "
            "--scheme full-int8 trains it); LayerNorm's squares it holds badly. A model with an operator that has no "
            "integer form is refused, by name. Runtime 2.9.",
            Demand(_INT8, _INT8, {DENSE: _INT8, PRODUCT: _INT8}, is_integer_throughout=True),
            schemes.full_int8,
            runtime="2.9",
            needs_calibration=True,
        ),
        Precision(
            "int4-embedding",
            "As dynamic, with four bits a number in the table of words, one scale for every 32 numbers of a row: for "
            "files that are mostly vocabulary. Widths that 32 divides only. LiteRT 2.1, any CPU.",
            _demand(_INT8, _INT4, _FLOAT32, _FLOAT32),
            schemes.int4_embedding,
            runtime="L2.1",
            table_block=32,
        ),
        Precision(
            "int4-embedding-rows",
            "As int4-embedding with one scale a row, chosen for the least squared error: for any width, smaller still "
            "and a little less exact. Runtime 2.18, any CPU.",
            _demand(_INT8, _INT4, _FLOAT32, _FLOAT32),
            schemes.int4_embedding_rows,
            runtime="2.18",
        ),
        Precision(
            "int16x8",
            "Dense layers and attention with int16 activations and int8 weights, the rest float32: an oracle of what "
            "int8 activations cost, not for use. XNNPACK takes none of its products, so it is a hundred times slower. "
            "Runtime 2.18.",
            _demand(_INT8, _INT8, _INT16, _INT16),
            schemes.int16x8,
            runtime="2.18",
            needs_calibration=True,
        ),
    )
}


_FIRST_TOKEN = ("first", "pooler")


def check_precision(name: str) -> None:
    if name not in PRECISIONS:
        raise ArtefactError(f"precision: expected {', '.join(PRECISIONS)}, got {name}. Do: choose one of these.")


def check_table_width(name: str, width: int) -> None:
    """Refuse, before any work, tables that the scheme's blocks do not divide."""
    block = PRECISIONS[name].table_block
    if width % block:
        raise ArtefactError(
            f"{name}: expected tables of a width that blocks of {block} divide, got {width:,}. "
            "Do: use int4-embedding-rows, whose scales are one a row."
        )


def check_pooling(name: str, pooling: str) -> None:
    """Refuse, before any work, a head that divides, of whose operators integers have no form."""
    if PRECISIONS[name].demand.is_integer_throughout and pooling not in _FIRST_TOKEN:
        raise ArtefactError(
            f"{name}: expected a head that reads the first token, got one of {pooling} pooling, whose division has "
            "no integer form. Do: distil a student with one (edgebert distill --start STUDENT --pooling first; "
            "of compress, --student-pooling first), or choose static."
        )


def remarks_on(name: str, normalization: str) -> tuple[str, ...]:
    """What a person should know of a file that can be made and will disappoint."""
    if not PRECISIONS[name].demand.is_integer_throughout or normalization == "no_norm":
        return ()
    return (
        f"{name}: 256 steps do not hold LayerNorm's squares, so much of the accuracy will be lost; a student with "
        "NoNorm keeps it (edgebert distill --start STUDENT --normalization no_norm --activation relu --pooling first)",
    )


def quantize(
    float32_model: bytes,
    precision: str,
    per_tensor: bool = False,
    texts: Sequence[Mapping[str, np.ndarray]] = (),
) -> bytes:
    """A float32 graph in another precision.

    Args:
        per_tensor: give every matrix (in `static` every table) a single scale, as runtimes before 2.17 need.
        texts: the graph's inputs for each calibration text; without them, schemes that calibrate refuse.
    """
    check_precision(precision)
    return PRECISIONS[precision].quantize(float32_model, per_tensor, texts)
