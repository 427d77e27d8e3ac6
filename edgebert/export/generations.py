"""The clients that phones have, generation by generation, and whether each can run a file."""

from dataclasses import dataclass

from edgebert.export.model import Model
from edgebert.export.versions import Requirement, Runtime, minimum_runtime, understatements


@dataclass(frozen=True)
class Generation:
    name: str
    title: str
    runtime: Runtime
    """The runtime whose operators it brings."""
    takes_texts: bool
    """It tokenises itself, by a vocabulary packed into the file, and loads no file without."""
    takes_int8_answers: bool = True
    """Its classifier reads an output of int8; one that hands the numbers over as they are counts too."""


GENERATIONS = (
    # Measured: it registers exactly the operator versions that tflite-runtime 2.14 does.
    Generation("task-library", "TF Lite Task Library 0.4.4 (2023)", Runtime.parse("2.14"), takes_texts=True),
    Generation("tflite-android", "TensorFlow Lite for Android 2.16.1", Runtime.parse("2.16"), takes_texts=False),
    # Measured on the Python package of that version.
    Generation("litert-android", "LiteRT for Android 1.4", Runtime.parse("2.20"), takes_texts=False),
    # Measured: it registers FULLY_CONNECTED 15, one more than LiteRT 2.3.
    # "Expected output tensor at index 0 to have type UINT8 or FLOAT32 or BOOL, found INT8 instead."; Task Library does.
    Generation("mediapipe", "MediaPipe Tasks 1.2", Runtime.parse("L2.3"), takes_texts=True, takes_int8_answers=False),
    Generation("litert", "LiteRT 2.3", Runtime.parse("L2.3"), takes_texts=False),
)


@dataclass(frozen=True)
class ClientVerdict:
    name: str
    title: str
    can_run: bool
    reason: str
    """Why not; empty when it can."""


def judge_clients(model: Model) -> tuple[ClientVerdict, ...]:
    """Which generations can run a model, oldest first."""
    requirement = minimum_runtime(model)
    foreign = sorted({operator.name for graph in model.subgraphs for operator in graph.operators if operator.is_custom})
    return tuple(
        ClientVerdict(generation.name, generation.title, not reason, reason)
        for generation in GENERATIONS
        for reason in [_why_not(model, generation, requirement, foreign)]
    )


def _why_not(model: Model, generation: Generation, requirement: Requirement, foreign: list[str]) -> str:
    if foreign:
        return f"it has no operator {foreign[0]}"
    if requirement.runtime is None:
        return f"{requirement.operator} version {requirement.version} is newer than what is known here"
    if requirement.runtime > generation.runtime:
        needs = f"{requirement.operator} version {requirement.version} needs runtime {requirement.runtime}"
        if any(entry.operator == requirement.operator for entry in understatements(model)):
            return f"it loads the file and answers wrongly: {needs}, and the file does not say so"
        return f"{needs}, this has {generation.runtime}"
    if generation.takes_texts and (why := _why_no_texts(model)):
        return why
    if not generation.takes_int8_answers and "int8" in _answer_types(model):
        return "it reads answers of float32, this one's are int8"
    return ""


def _why_no_texts(model: Model) -> str:
    if not model.named_files.vocabulary:
        return "it takes texts, and no vocabulary is packed"
    missing = [name for name in model.named_files.vocabulary if name not in model.packed_names]
    return f"it takes texts, and '{missing[0]}' is not in it: the file is cut off or damaged" if missing else ""


def _answer_types(model: Model) -> set[str]:
    return {graph.tensors[index].dtype for graph in model.subgraphs[:1] for index in graph.outputs}
