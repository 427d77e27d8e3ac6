"""What a produced file itself tells: bytes, weights, zeros, the runtime it needs. Everything is counted in the file."""

import dataclasses
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from edgebert.bundle import Description, read_bundle
from edgebert.errors import ArtefactError
from edgebert.export.flatbuffer import read_model
from edgebert.export.inspect import Summary, summarize
from edgebert.export.model import Model, Operator, Subgraph, Tensor
from edgebert.export.weights import constant_roots, is_learnt
from edgebert.files import sha256_of_file
from edgebert.report.model import Layer

# As `gzip` compresses unless told otherwise, and as app stores do.
_GZIP_LEVEL = 6
_CHUNK_BYTES = 1 << 20
# LayerNorm's vectors and biases are no layers to look at; a segment table of two rows is.
_FEWEST_ELEMENTS = 512
# Zeros alone would be as far away: what is farther holds other weights, however it is called.
_NO_TWIN = 1.0


@dataclass(frozen=True)
class Artefact:
    """A .tflite of a run, inspected. `description` is null for a file without our packed `edgebert.json`."""

    path: Path
    sha256: str
    gzipped_bytes: int
    summary: Summary
    description: Description | None
    layers: tuple[Layer, ...]
    # Whether its vocabulary is packed, so that texts can be put to it.
    can_answer: bool

    @property
    def checkpoint_sha256(self) -> str | None:
        found = None if self.description is None else self.description.provenance.get("checkpoint_sha256")
        return found if isinstance(found, str) else None

    def compared_with(self, base: Path | None) -> Self:
        """With the error of each matrix against `base`, the float32 file of the same weights."""
        if base is None or base == self.path:
            return self
        return dataclasses.replace(self, layers=_layers(self.path, self.summary, base))

    @property
    def precision(self) -> str | None:
        return None if self.description is None else self.description.precision

    @property
    def zero_share(self) -> float | None:
        matrices = [weight for weight in self.summary.weights if weight.is_matrix]
        elements = sum(weight.elements for weight in matrices)
        return sum(weight.zero_share * weight.elements for weight in matrices) / elements if elements else None


def inspect_artefact(path: Path, sha256: str) -> Artefact:
    """Read the file that a stage recorded with `sha256`."""
    if sha256_of_file(path) != sha256:
        raise ArtefactError(
            f"{path}: expected the file as its stage recorded it, got another content. "
            "Do: run `edgebert compress` on this folder again."
        )
    summary, bundle = summarize(path), read_bundle(path)
    return Artefact(
        path=path,
        sha256=sha256,
        gzipped_bytes=_gzipped_bytes(path),
        summary=summary,
        description=bundle.description,
        layers=_layers(path, summary, None),
        can_answer=bundle.description is not None and bundle.vocabulary is not None,
    )


def _gzipped_bytes(path: Path) -> int:
    packer = zlib.compressobj(_GZIP_LEVEL, wbits=31)
    count = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            count += len(packer.compress(chunk))
    return count + len(packer.flush())


def _layers(path: Path, summary: Summary, base_path: Path | None) -> tuple[Layer, ...]:
    model, base = read_model(path), None if base_path is None else read_model(base_path)
    zeros = {(weight.name, weight.shape): weight.zero_share for weight in summary.weights}
    layers = []
    for name, tensor in _matrices(model.subgraphs[0]):
        error = None if base is None else _relative_error(model, tensor, base)
        layers.append(Layer(name, tensor.dtype, tensor.shape, zeros.get((tensor.name, tensor.shape)), error))
    return tuple(layers)


def _matrices(graph: Subgraph) -> list[tuple[str, Tensor]]:
    """The learnt matrices in the order of their first use, by the name of the layer that uses them."""
    roots, found = constant_roots(graph), {}
    for operator in graph.operators:
        for index in operator.inputs:
            tensor = roots.get(index)
            if tensor is None or len(tensor.shape) < 2 or tensor.elements < _FEWEST_ELEMENTS or not is_learnt(tensor):
                continue
            found.setdefault(tensor.index, (_layer_name(graph, operator, tensor), tensor))
    return list(found.values())


def _layer_name(graph: Subgraph, operator: Operator, tensor: Tensor) -> str:
    """`encoder/block_0/query` from `model/encoder/block_0/query/MatMul;...`, which the converter names the result."""
    for part in graph.tensors[operator.outputs[0]].name.split(";"):
        layer, _, operation = part.rpartition("/")
        if layer and operation in ("MatMul", "Gather"):
            return layer.removeprefix("model/")
    if operator.name in ("GATHER", "EMBEDDING_LOOKUP"):
        return f"table of {tensor.shape[0]:,} rows"
    return f"matrix of {' by '.join(f'{size:,}' for size in tensor.shape)}"


def _relative_error(model: Model, tensor: Tensor, base: Model) -> float | None:
    """The quantizer keeps a constant's name; a graph of other constants has no error to tell."""
    twins = [
        other
        for other in base.subgraphs[0].tensors
        if other.is_constant and (other.name, other.shape) == (tensor.name, tensor.shape) and other.dtype == "float32"
    ]
    values = real_values(model, tensor)
    if len(twins) != 1 or values is None:
        return None
    wanted = base.values(twins[0])
    norm = float(np.linalg.norm(wanted))
    error = float(np.linalg.norm(values - wanted)) / norm if norm else _NO_TWIN
    return error if error < _NO_TWIN else None


def real_values(model: Model, tensor: Tensor) -> np.ndarray | None:
    """What the stored numbers stand for; null for formats whose scales lie elsewhere."""
    if tensor.is_sparse or tensor.dtype in ("bfloat16", "int2"):
        return None
    stored, quantization = model.values(tensor).astype(np.float32), tensor.quantization
    if quantization is None or not len(quantization.scales):
        return stored
    if quantization.is_blockwise:
        return None
    shape = [1] * stored.ndim
    shape[quantization.axis if quantization.is_per_channel else 0] = len(quantization.scales)
    zero_points = quantization.zero_points if len(quantization.zero_points) else np.zeros(len(quantization.scales))
    return (stored - zero_points.reshape(shape)) * quantization.scales.reshape(shape)
