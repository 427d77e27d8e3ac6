"""From stored predictions: which labels a file confuses, and where it answers otherwise than the reference."""

from collections import Counter
from collections.abc import Sequence

from edgebert.predictions import FileAnswers, Predictions
from edgebert.report.model import Confusion, ConfusionCell, Difference, Differences

SHOWN_DIFFERENCES = 12


def confusion_of(row: int, answers: FileAnswers, predictions: Predictions) -> Confusion:
    """Of a classifier; pairs in the order of the labels."""
    counts = Counter(zip(map(int, predictions.targets), answers.labels, strict=True))
    return Confusion(row, tuple(ConfusionCell(*pair, count) for pair, count in sorted(counts.items())))


def agreement_of(answers: FileAnswers, reference: FileAnswers) -> float:
    """Share of equal answers of a classifier."""
    equal = sum(ours == theirs for ours, theirs in zip(answers.labels, reference.labels, strict=True))
    return equal / len(answers.labels) if answers.labels else 1.0


def differences_of(row: int, answers: FileAnswers, reference: FileAnswers, predictions: Predictions) -> Differences:
    if not predictions.is_classification:
        return _of_regression(row, answers, reference, predictions)
    differing = [number for number, label in enumerate(answers.labels) if label != reference.labels[number]]
    targets = predictions.targets
    reference_right = sum(reference.labels[number] == targets[number] for number in differing)
    row_right = sum(answers.labels[number] == targets[number] for number in differing)
    return Differences(
        row=row,
        count=len(differing),
        of=len(predictions.texts),
        reference_alone_right=reference_right,
        row_alone_right=row_right,
        both_wrong=len(differing) - reference_right - row_right,
        examples=tuple(_difference(number, answers, reference, predictions) for number in _evenly(differing)),
    )


def _of_regression(row: int, answers: FileAnswers, reference: FileAnswers, predictions: Predictions) -> Differences:
    gaps = [abs(ours - theirs) for ours, theirs in zip(answers.scores, reference.scores, strict=True)]
    largest = sorted((number for number, gap in enumerate(gaps) if gap > 0), key=lambda number: (-gaps[number], number))
    chosen = largest[:SHOWN_DIFFERENCES]
    examples = tuple(_difference(number, answers, reference, predictions) for number in chosen)
    return Differences(row, len(largest), len(gaps), None, None, None, examples)


def _difference(number: int, answers: FileAnswers, reference: FileAnswers, predictions: Predictions) -> Difference:
    return Difference(
        text=predictions.texts[number],
        second_text=predictions.second_texts[number],
        target=_answer(predictions.targets[number], predictions),
        reference_answer=_answer_of(reference, number, predictions),
        reference_score=reference.scores[number],
        answer=_answer_of(answers, number, predictions),
        score=answers.scores[number],
    )


def _answer_of(answers: FileAnswers, number: int, predictions: Predictions) -> str:
    return _answer((answers.labels if predictions.is_classification else answers.scores)[number], predictions)


def _answer(value: float, predictions: Predictions) -> str:
    return predictions.label_names[int(value)] if predictions.is_classification else f"{value:.3f}"


def _evenly(numbers: Sequence[int]) -> Sequence[int]:
    """Evenly from the whole: dev files are often sorted by label."""
    count = min(SHOWN_DIFFERENCES, len(numbers))
    return [numbers[position * len(numbers) // count] for position in range(count)]
