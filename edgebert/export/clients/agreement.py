"""Comparing a client's answers with ours, text by text, and telling what kind of difference there is."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from edgebert.errors import ClientError
from edgebert.export.clients.process import Answer

Values = tuple[float, ...]

# How far two kernels may be apart, as a share of our highest score (for embeddings: one minus the cosine). In float the
# clients differ by 1e-6; of int8 weights a runtime of 2023 quantises the activations otherwise than XNNPACK does, and
# small random models differed by up to 0.024.
FLOAT_TOLERANCE = 1e-3
QUANTIZED_TOLERANCE = 0.05
# Where each layer's outputs are rounded too, a step more or less in one place grows on the way: on CLINC150's 3,000 and
# SST-2's 872 dev texts two students differed between XNNPACK and the built-in kernels by up to 0.09, and in 3 and 2
# labels, where they were torn (benchmarks/choices). An answer to other tokens differs by half a score and more.
ROUNDED_TOLERANCE = 0.2
# Where norms, residual and softmax are rounded too, nothing evens a step out again: such students differed by up to
# 0.13 on the same texts, in 7 and 5 labels, and others can be more torn. Texts of which a client makes other tokens are
# told besides, however near its answers are.
INTEGER_TOLERANCE = 0.3
# One minus the cosine; MiniLM differed by up to 0.008 between LiteRT with and without XNNPACK.
QUANTIZED_EMBEDDING_TOLERANCE = 0.02
# An error of this share of the difference between two texts' answers: such an answer says nothing about its text.
NONSENSE_SHARE = 0.5
# The time to look for a renaming grows with the square of the labels.
TEXTS_TO_TELL_A_RENAMING = 20


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What an answer is made of, and what counts as the same."""

    task: str
    labels: tuple[str, ...]
    tolerance: float

    def __post_init__(self) -> None:
        if not 0 <= self.tolerance < math.inf:
            raise ClientError(
                f"tolerance: expected a number, zero or more, got {self.tolerance}. "
                "Do: give a share of the highest score, as in --tolerance 0.01."
            )


@dataclass(frozen=True, slots=True)
class AnswerDifference:
    """A text that a client answers otherwise than we do, beyond the tolerance, or not at all."""

    text_number: int
    ours: str
    theirs: str
    difference: float
    tokens_differ: bool


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of one client with us, over all texts."""

    largest_difference: float
    # Texts with the same first label; None where the answer is no choice between labels.
    same_labels: int | None
    differences: tuple[AnswerDifference, ...]
    # What is wrong with answers to the very tokens that we had.
    diagnosis: str | None


def compare(
    ours: Sequence[Values], theirs: Sequence[Answer], yardstick: Yardstick, cut_otherwise: Collection[int] = ()
) -> Agreement:
    """`cut_otherwise`: the numbers of the texts of which the client makes other tokens."""
    aligned = [_align(answer, yardstick) for answer in theirs]
    errors = [_error(mine, other, yardstick.task) for mine, other in zip(ours, aligned, strict=True)]
    allowed = yardstick.tolerance * _scale(ours, yardstick.task)
    wrong = [number for number, error in enumerate(errors) if not _is_within(error, allowed)]
    unexplained = [number for number in wrong if number not in cut_otherwise]
    differences = tuple(
        AnswerDifference(
            text_number=number,
            ours=describe(ours[number], yardstick),
            theirs=theirs[number].error or _describe_answer(theirs[number], aligned[number], yardstick),
            difference=errors[number],
            tokens_differ=number in cut_otherwise,
        )
        for number in wrong
    )
    comparable = [n for n, other in enumerate(aligned) if other is not None and n not in cut_otherwise]
    return Agreement(
        largest_difference=max(errors, default=0.0),
        same_labels=_count_same_labels(ours, aligned) if yardstick.task == "classification" else None,
        differences=differences,
        diagnosis=_diagnose(ours, theirs, aligned, comparable, allowed, yardstick) if unexplained else None,
    )


def describe(values: Values, yardstick: Yardstick) -> str:
    """An answer in a few characters."""
    if yardstick.task == "classification":
        best = _best(values)
        return f"{yardstick.labels[best]} {values[best]:.4f}"
    if yardstick.task == "regression":
        return f"{values[0]:.4f}"
    return f"[{', '.join(f'{value:.3f}' for value in values[:3])}, ...]"


def _describe_answer(answer: Answer, aligned: Values | None, yardstick: Yardstick) -> str:
    if aligned is not None:
        return describe(aligned, yardstick)
    if answer.names:
        return f"labels {', '.join(repr(name) for name in answer.names[:3])}, ..."
    return f"{len(answer.values)} values"


def _align(answer: Answer, yardstick: Yardstick) -> Values | None:
    """The values in the order of our labels; None if it is an error or not about these labels."""
    if answer.error is not None:
        return None
    if answer.names is None or yardstick.task != "classification":
        return answer.values
    by_name = dict(zip(answer.names, answer.values, strict=True))
    if len(answer.names) != len(yardstick.labels) or set(by_name) != set(yardstick.labels):
        return None
    return tuple(by_name[label] for label in yardstick.labels)


def _error(ours: Values, theirs: Values | None, task: str) -> float:
    if theirs is None or len(theirs) != len(ours) or not all(map(math.isfinite, (*ours, *theirs))):
        return math.inf
    if task != "embedding":
        return max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
    lengths = math.hypot(*ours) * math.hypot(*theirs)
    return 1 - sum(a * b for a, b in zip(ours, theirs, strict=True)) / lengths if lengths else math.inf


def _is_within(error: float, allowed: float) -> bool:
    """Asked this way round, and of finite errors alone: whatever is no number is a difference."""
    return math.isfinite(error) and error <= allowed


def _scale(ours: Sequence[Values], task: str) -> float:
    """What a tolerance is a share of. 150 flat scores of 0.007 differ by little even where they are nonsense."""
    if task == "embedding":
        return 1.0
    return max((abs(value) for values in ours for value in values if math.isfinite(value)), default=1.0)


def _best(values: Values) -> int:
    return max(range(len(values)), key=values.__getitem__)


def _count_same_labels(ours: Sequence[Values], theirs: Sequence[Values | None]) -> int:
    return sum(b is not None and _best(a) == _best(b) for a, b in zip(ours, theirs, strict=True))


def _diagnose(
    ours: Sequence[Values],
    answers: Sequence[Answer],
    theirs: Sequence[Values | None],
    comparable: Sequence[int],
    allowed: float,
    yardstick: Yardstick,
) -> str | None:
    """The likeliest cause. `comparable`: the texts that the client answered, for our tokens."""
    if misnamed := [a for n, a in enumerate(answers) if a.error is None and theirs[n] is None]:
        names = ", ".join(repr(name) for name in (misnamed[0].names or ())[:3])
        return f"its labels ({names}, ...) are not the model's: the packed labels were lost or exchanged"
    if numberless := sum(not all(map(math.isfinite, values)) for values in ours):
        return f"our own answers to {numberless:,} of the texts are no numbers: the file itself is broken"
    if not comparable:
        return None
    pairs = [(ours[number], theirs[number]) for number in comparable]
    if yardstick.task == "classification" and _is_renamed(pairs[:TEXTS_TO_TELL_A_RENAMING], allowed):
        return "it has our scores under other labels: the packed labels are in another order than the model's outputs"
    error = _mean([_error(a, b, yardstick.task) for a, b in pairs])
    following = [ours[number] for number in (*comparable[1:], comparable[0])]
    variety = _mean([_error(a, b, yardstick.task) for (a, _), b in zip(pairs, following, strict=True)])
    if len(pairs) > 1 and error >= NONSENSE_SHARE * variety:
        return (
            f"it loads the file and answers nonsense: its error ({error:.2g}) is like the difference between one text "
            f"and another ({variety:.2g}); the runtime is older than the file's operations, whose versions hide it"
        )
    largest = max(_error(a, b, yardstick.task) for a, b in pairs)
    return None if _is_within(largest, allowed) else f"its scores are off by up to {largest:.2g}, {allowed:.2g} allowed"


def _is_renamed(pairs: Sequence[tuple[Values, Values]], allowed: float) -> bool:
    """Whether one other order of the labels explains all answers."""

    def apart(ours: int, theirs: int) -> float:
        return max(abs(a[ours] - b[theirs]) for a, b in pairs)

    labels = range(len(pairs[0][0]))
    order = [min(labels, key=lambda theirs, ours=ours: apart(ours, theirs)) for ours in labels]
    if sorted(order) != list(labels) or order == list(labels):
        return False
    return all(apart(ours, theirs) <= allowed for ours, theirs in enumerate(order))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
