"""The report as one plain value: what a run folder holds, joined file by file; renderers read this and nothing else.

It is also the JSON report. A null means that nobody measured it; nothing here is estimated. A field added later gets a
default and leaves SCHEMA_VERSION alone; a field that changes meaning raises it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

SCHEMA = "edgebert-report"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Fact:
    """A named value in words, for tables of provenance."""

    name: str
    value: str


@dataclass(frozen=True)
class Stage:
    name: str
    finished: bool
    edgebert_version: str | None
    # What it was made from, flattened to dotted names.
    inputs: tuple[Fact, ...]


@dataclass(frozen=True)
class TrainingData:
    """What models learnt from, and which of them. `examples` were used of those that were read, where that is known."""

    role: str
    name: str | None = None
    examples: int | None = None
    examples_read: int | None = None
    sha256: str | None = None
    # The dataset that edgebert brings, where it is one.
    bundled: str | None = None


@dataclass(frozen=True)
class Run:
    """One run folder. `metric` is the dev score's name; it and the dev data are null where nothing was scored."""

    name: str
    task: str | None
    metric: str | None
    label_names: tuple[str, ...]
    train_source: str | None
    dev_source: str | None
    dev_sha256: str | None
    dev_examples: int | None
    stages: tuple[Stage, ...]
    # Stage folders whose record or artefacts could not be used, and why.
    remarks: tuple[str, ...] = ()
    # What the first model is made from, as it was named, and what the student began as where that is another.
    checkpoint: str | None = None
    checkpoint_sha256: str | None = None
    student_start: str | None = None
    # Empty where nothing was trained.
    training: tuple[TrainingData, ...] = ()
    # The dataset that edgebert brings, where the dev data is one.
    dev_bundled: str | None = None


@dataclass(frozen=True)
class Measurement:
    """One measurement record: `provenance` is under what it was taken."""

    run: int
    place: str
    started_at_utc: str
    provenance: tuple[Fact, ...]
    # Reasons to distrust the whole record, in words.
    verdicts: tuple[str, ...]


@dataclass(frozen=True)
class Latency:
    """What one file cost under one setting, from the raw samples. `length` null: as long as each text."""

    measurement: int
    threads: int
    length: int | None
    shortest_tokens: int
    longest_tokens: int
    runs: int
    median_ns: float
    p90_ns: float
    p99_ns: float
    cpu_median_ns: float | None
    # How many times faster than the reference file in the same setting; the interval only from one record's rounds.
    times_faster: float | None
    times_faster_low: float | None
    times_faster_high: float | None
    # The same of CPU time, which other processes disturb less; only from one record.
    times_faster_cpu: float | None
    load_ns: int | None
    first_run_ns: int | None
    peak_memory_bytes: int | None
    # What loading and running this model added to the process, where the system could tell.
    model_memory_bytes: int | None
    delegated_nodes: int | None
    nodes: int | None
    # No reason against the median; a long tail is none.
    is_steady: bool
    # Nor against the reference's.
    ratio_is_steady: bool
    verdicts: tuple[str, ...]
    samples_ns: tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """A weight matrix of the file. `relative_error`: its distance from the float32 file's, over that one's norm."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    zero_share: float | None
    relative_error: float | None


@dataclass(frozen=True)
class Row:
    """One produced file. `model` is the stage that made its weights, null where no stage's checkpoint is its source."""

    run: int
    name: str
    model: str | None
    precision: str | None
    # Relative to the run's folder.
    path: str
    sha256: str
    size_bytes: int
    gzipped_bytes: int
    parameters: int
    # Of the matrices' elements, counted in the file.
    zero_share: float | None
    minimum_runtime: str
    runtime_reason: str
    length: int | None
    maximum_length: int | None
    score: float | None
    # Share of dev examples with the reference file's answer; of a regression the rank correlation with it.
    agreement: float | None
    # Against the reference row.
    times_smaller: float
    retention: float | None
    # What became of the file in each client that was tried.
    clients: Mapping[str, str]
    # What a client said that did not agree.
    client_reasons: Mapping[str, str]
    latencies: tuple[Latency, ...]
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class Curve:
    """One training: its loss terms by epoch or by step, and the dev score where it was taken."""

    run: int
    stage: str
    title: str
    axis: str
    positions: tuple[int, ...]
    terms: Mapping[str, tuple[float | None, ...]]
    dev_positions: tuple[int, ...]
    dev_scores: tuple[float, ...]
    # What the dev scores are of; a stage may choose its epochs by something else than the task's score.
    dev_name: str = "dev score"


@dataclass(frozen=True)
class ConfusionCell:
    target: int
    answer: int
    count: int


@dataclass(frozen=True)
class Confusion:
    """How often each label was answered with each; pairs that never occurred are left out."""

    row: int
    cells: tuple[ConfusionCell, ...]


@dataclass(frozen=True)
class Difference:
    """A dev example to which a file answers otherwise than the reference."""

    text: str
    second_text: str | None
    target: str
    reference_answer: str
    reference_score: float
    answer: str
    score: float


@dataclass(frozen=True)
class Differences:
    """How a file's answers differ from the reference's. `examples` are some of the `count`, evenly chosen.

    The three numbers after `count` are of a classifier; of a regression `count` is of all examples, the largest first.
    """

    row: int
    count: int
    of: int
    reference_alone_right: int | None
    row_alone_right: int | None
    both_wrong: int | None
    examples: tuple[Difference, ...]


@dataclass(frozen=True)
class Attribution:
    """What each token does for the file's answer: the answer's score less its score with that token left out."""

    row: int
    text: str
    second_text: str | None
    answer: str
    score: float
    pieces: tuple[str, ...]
    changes: tuple[float, ...]


@dataclass(frozen=True)
class Report:
    """`reference` is the row that ratios, retention and agreement refer to."""

    schema: str
    schema_version: int
    edgebert_version: str
    runs: tuple[Run, ...]
    reference: int
    rows: tuple[Row, ...]
    measurements: tuple[Measurement, ...]
    curves: tuple[Curve, ...]
    confusions: tuple[Confusion, ...]
    differences: tuple[Differences, ...]
    attributions: tuple[Attribution, ...]
    # Said once under the tables: what was left out on request, what a reader must know.
    notes: tuple[str, ...] = ()

    def rows_of(self, run: int) -> tuple[int, ...]:
        return tuple(number for number, row in enumerate(self.rows) if row.run == run)

    @property
    def headline(self) -> int | None:
        """The smallest file that keeps 97 % of the reference's score; where none does, the smallest that is about as
        good as the best."""
        others = [number for number in range(len(self.rows)) if number != self.reference]
        kept = {number: self.rows[number].retention for number in others if self.rows[number].retention is not None}
        best = max(kept.values(), default=0.0)
        enough = KEPT_SCORE if best >= KEPT_SCORE else best - AS_GOOD
        good = [number for number, share in kept.items() if share >= enough]
        return min(good, key=lambda number: self.rows[number].size_bytes, default=None)


KEPT_SCORE = 0.97
# Of the reference's score: a float32 file four times as large is not what a reader wants for a tenth of a point.
AS_GOOD = 0.01
