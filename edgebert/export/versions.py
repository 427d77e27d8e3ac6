"""Runtimes and operator versions: what a file says it needs, what it needs in truth, and how to make it say so."""

from collections.abc import Iterable
from dataclasses import dataclass

from edgebert.errors import ArtefactError
from edgebert.export.editable import editable_bytes, read_editable
from edgebert.export.flatbuffer import read_model
from edgebert.export.model import OPERATOR_NAMES, Model
from edgebert.export.needed_versions import needed_version, silent_before
from edgebert.export.runtime_versions import FIRST_RUNTIMES

_LITERT_MARK = "L"
_MINIMUM_RUNTIME_METADATA = "min_runtime_version"
_MINIMUM_RUNTIME_BYTES = 16
# FlatBuffer offsets are signed in places; LiteRT's own tools stop here too.
_LARGEST_INLINE_BYTES = 2**31 - 2**24


@dataclass(frozen=True, order=True)
class Runtime:
    """A release of the interpreter. TensorFlow Lite ends at 2.20; LiteRT 2.0 comes after it."""

    is_litert: bool
    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> "Runtime":
        """`2.17` is TensorFlow Lite, `L2.1` LiteRT."""
        major, minor = text.removeprefix(_LITERT_MARK).split(".")[:2]
        return cls(text.startswith(_LITERT_MARK), int(major), int(minor))

    def __str__(self) -> str:
        return f"{'LiteRT ' if self.is_litert else ''}{self.major}.{self.minor}"


OLDEST = Runtime.parse("1.5")
NEWEST_KNOWN = Runtime.parse("L2.3")


@dataclass(frozen=True)
class Understatement:
    """An operator whose version promises that runtimes can compute it which in truth return something else."""

    subgraph: int
    node: int
    operator: str
    version: int
    needed: int


@dataclass(frozen=True)
class Requirement:
    """The runtime that a file needs and the operator that needs it; no runtime when an operator is unknown."""

    runtime: Runtime | None
    operator: str
    version: int


def first_runtime(operator: str, version: int) -> Runtime | None:
    """The first runtime with this version of a builtin operator; None for a version not known here."""
    releases = FIRST_RUNTIMES.get(operator, "").split()
    if not 1 <= version <= len(releases) or releases[version - 1] == "-":
        return None
    return Runtime.parse(releases[version - 1])


def minimum_runtime(model: Model) -> Requirement:
    """The newest of what the operators need, by the versions that their quantisation needs in truth."""
    highest = Requirement(OLDEST, "", 1)
    for graph in model.subgraphs:
        for operator in graph.operators:
            if operator.is_custom:
                continue
            version = max(operator.version, needed_version(graph, operator))
            runtime = first_runtime(operator.name, version)
            if runtime is None:
                return Requirement(None, operator.name, version)
            if (unannounced := silent_before(graph, operator)) is not None:
                runtime = max(runtime, Runtime.parse(unannounced))
            if runtime > highest.runtime:
                highest = Requirement(runtime, operator.name, version)
    return highest


def understatements(model: Model) -> tuple[Understatement, ...]:
    """The operators that carry a lower version than their types and quantisation need."""
    return tuple(
        Understatement(graph.index, operator.index, operator.name, operator.version, needed)
        for graph in model.subgraphs
        for operator in graph.operators
        if (needed := needed_version(graph, operator)) > operator.version
    )


def honest_versions(content: bytes) -> bytes:
    """Raise operator versions to what their quantisation needs, and move content behind the FlatBuffer inside it.

    Without the first, runtimes load what they compute wrongly; without the second, tools that repack a file (the
    metadata writers among them) lose its weights. A file that needs neither comes back as it is.
    """
    model = read_model(content)
    if not understatements(model) and not model.outside_buffers:
        return content
    if model.archive is not None:
        raise ArtefactError(
            "model: expected a file without packed vocabulary and labels, got one that has them. "
            "Do: correct the operator versions before packing metadata."
        )
    held_bytes = sum(size_bytes for _, size_bytes in model.buffers)
    if held_bytes > _LARGEST_INLINE_BYTES:
        raise ArtefactError(
            f"model: expected at most {_LARGEST_INLINE_BYTES:,} bytes of content, which a FlatBuffer can hold, got "
            f"{held_bytes:,}. Do: use a smaller model or a narrower precision."
        )
    return _rewritten(content, model)


def _rewritten(content: bytes, model: Model) -> bytes:
    editable = read_editable(content)
    codes = {}
    for graph, subgraph in zip(model.subgraphs, editable.subgraphs, strict=True):
        for operator, entry in zip(graph.operators, subgraph.operators or (), strict=True):
            version = max(operator.version, needed_version(graph, operator))
            entry.opcodeIndex = _code_of_version(editable, codes, operator.code, version)
    _restate_minimum_runtime(editable)
    return editable_bytes(editable)


def _code_of_version(editable, codes: dict[tuple[int, int], int], code: int, version: int) -> int:
    """The entry for an operator at a version: the first one asked for takes the original entry, others get a copy.

    Operators that share an entry need not share a version: a float layer beside a quantised one keeps its own.
    """
    if (code, version) not in codes:
        original = editable.operatorCodes[code]
        if any(known == code for known, _ in codes):
            copied = type(original)()
            vars(copied).update(vars(original))
            editable.operatorCodes.append(copied)
            codes[code, version] = len(editable.operatorCodes) - 1
        else:
            codes[code, version] = code
        editable.operatorCodes[codes[code, version]].version = version
    return codes[code, version]


def _restate_minimum_runtime(editable) -> None:
    """The converter notes the runtime it had in mind; a note that is too old is worse than none."""
    import numpy as np

    needed = max(_runtimes_of(editable), default=OLDEST)
    for entry in editable.metadata or ():
        name = entry.name.decode() if isinstance(entry.name, bytes) else entry.name
        if name == _MINIMUM_RUNTIME_METADATA:
            note = f"{needed}{'' if needed.is_litert else '.0'}".encode().ljust(_MINIMUM_RUNTIME_BYTES, b"\0")
            editable.buffers[entry.buffer].data = np.frombuffer(note, np.uint8)


def _runtimes_of(editable) -> Iterable[Runtime]:
    for code in editable.operatorCodes:
        name = OPERATOR_NAMES.get(max(code.builtinCode, code.deprecatedBuiltinCode), "")
        runtime = first_runtime(name, code.version)
        if runtime is not None:
            yield runtime
