"""The same texts asked of any file, and how far its answers are from the float32 graph's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgebert.errors import DataError
from edgebert.export.quantization.observing import Inputs
from edgebert.export.sensitivity.result import Verdict
from edgebert.progress import Progress, Report, silent
from edgebert.quiet import quiet_native_output

# Of answers and targets, as `edgebert.training.scoring.score` has it for a head.
Score = Callable[[np.ndarray, np.ndarray], float]

CLASSIFICATION, REGRESSION, EMBEDDING = "classification", "regression", "embedding"
TASKS = (CLASSIFICATION, REGRESSION, EMBEDDING)


@dataclass(frozen=True, eq=False)
class Exam:
    """Texts as a graph is given them; `targets` [N] and `score` where there are labels."""

    task: str
    inputs: Sequence[Inputs]
    targets: np.ndarray | None = None
    score: Score | None = None

    def __post_init__(self) -> None:
        if not self.inputs:
            raise DataError("texts: expected at least one to ask, got none. Do: give --data, --dev or --calibration.")
        if self.task not in TASKS:
            raise ValueError(f"task: expected {', '.join(TASKS)}, got {self.task}")
        if (self.targets is None) != (self.score is None):
            raise ValueError("targets: expected with a score, got one of them")

    def part(self, positions: Sequence[int]) -> "Exam":
        """The exam with these texts alone."""
        targets = None if self.targets is None else self.targets[list(positions)]
        return Exam(self.task, [self.inputs[position] for position in positions], targets, self.score)

    def answers(self, content: bytes, task: str = "answer", report: Report = silent) -> np.ndarray:
        """[N, C]: probabilities, scores or embeddings."""
        from ai_edge_litert.interpreter import Interpreter

        order = sorted(range(len(self.inputs)), key=lambda position: self.inputs[position]["input_ids"].shape[1])
        found: list[np.ndarray] = [np.empty(0)] * len(order)
        with quiet_native_output():
            run = Interpreter(model_content=content, num_threads=1).get_signature_runner()
            names = run.get_input_details()
            for done, position in enumerate(order, 1):
                (output,) = run(**{name: self.inputs[position][name] for name in names}).values()
                found[position] = np.array(output[0])
                report(Progress(task, done, len(order)))
        return np.stack(found)

    def judge(self, answers: np.ndarray, reference: np.ndarray) -> Verdict:
        """`reference`: the float32 graph's answers to the same texts."""
        score = None if self.score is None else float(self.score(answers, self.targets))
        return Verdict(
            texts=len(self.inputs),
            score=score,
            agreement=_agreement(self.task, answers, reference),
            distance=_distance(self.task, answers, reference),
        )


def _agreement(task: str, answers: np.ndarray, reference: np.ndarray) -> float:
    """The share of equal labels; else the mean cosine of embeddings, or of scores their correlation."""
    if task == CLASSIFICATION:
        return float(np.mean(answers.argmax(axis=-1) == reference.argmax(axis=-1)))
    if task == EMBEDDING:
        return float(_cosines(answers, reference).mean())
    if np.array_equal(answers, reference):
        return 1.0
    spread = answers[:, 0].std() * reference[:, 0].std()
    return float(np.corrcoef(answers[:, 0], reference[:, 0])[0, 1]) if spread > 0 else 0.0


def _distance(task: str, answers: np.ndarray, reference: np.ndarray) -> float:
    """0 for the same answers. It ranks what changes no label yet: accuracy does not tell two small harms apart.

    Of classifiers the mean share of probability that moved to other labels, of embeddings 1 - cosine, of scores the
    root of the mean squared difference in standard deviations.
    """
    answers, reference = answers.astype(np.float64), reference.astype(np.float64)
    if task == CLASSIFICATION:
        return float(np.abs(answers - reference).sum(axis=-1).mean() / 2)
    if task == EMBEDDING:
        return float(np.maximum(0.0, 1 - _cosines(answers, reference)).mean())
    difference = float(np.sqrt(np.mean((answers - reference) ** 2)))
    return difference / (float(reference.std()) or 1.0)


def _cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    one, other = one.astype(np.float64), other.astype(np.float64)
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return (one * other).sum(axis=1) / np.where(lengths > 0, lengths, 1.0)
