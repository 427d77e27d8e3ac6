"""What a user may say of the whole road, field by field: keys of the TOML file, flags and their help at once."""

import dataclasses
from dataclasses import dataclass, field

from edgebert.config import ACTIVATIONS, NORMALIZATIONS
from edgebert.errors import DataError, TrainingError
from edgebert.pipeline.compression_config import PruneConfig, QuantizeConfig, ShrinkConfig, StageConfig, TrimConfig
from edgebert.pipeline.setting import setting
from edgebert.pipeline.stages import COMPRESSIONS, STUDENT, TEACHER

# What stands in the place of a student's shape where the teacher itself is converted and nothing is distilled.
NO_STUDENT = "none"


@dataclass(frozen=True)
class DataConfig:
    source: str | None = setting(
        None, "`snips` or `clinc150` (bundled), or a folder with a file for each of train and dev", "--data"
    )
    train: str | None = setting(
        None, "training file (.csv .tsv .jsonl .parquet) or what `edgebert augment --out` made, instead of --data"
    )
    dev: str | None = setting(None, "file to score on, with --train")
    text_column: str | None = setting(None, "column of the text (default: guessed)")
    second_text_column: str | None = setting(None, "column of the second text of pairs")
    label_column: str | None = setting(None, "column of the label (default: guessed)")
    max_examples: int | None = setting(None, "train on N examples, evenly taken")
    include_out_of_scope: bool = setting(False, "CLINC150: out-of-scope texts as a class")
    skip_bad_rows: bool = setting(False, "leave out malformed rows, counted and listed")

    def check_train(self) -> None:
        if bool(self.source) == bool(self.train):
            got = "both" if self.source else "neither"
            raise DataError(f"data: expected --data SOURCE or --train FILE, got {got}. Do: give one of them.")
        if self.max_examples is not None and self.max_examples < 1:
            raise DataError(
                f"--max-examples: expected 1 or more, got {self.max_examples}. Do: correct it or leave it out."
            )

    def check(self) -> None:
        if bool(self.train) != bool(self.dev):
            raise DataError(
                "data: expected --train FILE with --dev FILE, got one alone. Do: give both, or --data SOURCE."
            )
        self.check_train()


@dataclass(frozen=True)
class FinetuneConfig:
    epochs: int = setting(3, "of the teacher; 0: the checkpoint knows the task already", "--epochs")
    batch_size: int = setting(32, "of every training", "--batch-size")
    learning_rate: float = setting(5e-5, "of the teacher", "--learning-rate")
    warmup_share: float = setting(0.1, "share of all steps over which the learning rate rises", "--warmup")
    weight_decay: float = setting(0.01, "of every training", "--weight-decay")
    averaging: float = setting(0.0, "share of the past in a running average of the weights, such as 0.999")
    patience: int = setting(2, "stop after N epochs without a better one", "--patience")
    pooling: str = setting("mean", "what the head reads", "--pooling", ("mean", "first", "pooler"))
    length: int = setting(128, "tokens of a text that are kept in training", "--training-length")
    arithmetic: str = setting(
        "float32", "of matrix products in training; bfloat16 needs a processor with it", "--arithmetic"
    )


@dataclass(frozen=True)
class DistillTextConfig:
    corpus: tuple[str, ...] = setting(
        (), "plain text to distil on before the task: a file, folder or archive", "--corpus", repeat=True
    )
    sequences: int | None = setting(None, "at most N of the corpus, equally many of each file", "--sequences")
    recipes: tuple[str, ...] = setting(("tinybert_intermediate",), "on plain text", "--text-recipe", repeat=True)
    epochs: tuple[int, ...] | None = setting(None, "on plain text, of all steps or of each", "--text-epochs")
    learning_rates: tuple[float, ...] | None = setting(None, "the same for the learning rate", "--text-learning-rate")


@dataclass(frozen=True)
class DistillConfig:
    student: str | None = setting(
        None, "shape of the student (tiny4, bert_mini, ...; default: tiny4), or none to convert the teacher alone"
    )
    train: str | None = setting(
        None, "training data of the student alone, such as what `edgebert augment --out` made", "--student-train"
    )
    layers: int | None = setting(None, "of the student; without --student all other numbers are the teacher's")
    width: int | None = setting(None, "width of the student's rows")
    heads: int | None = setting(None, "the student's attention heads")
    feed_forward: int | None = setting(None, "width inside the student's feed-forward networks")
    embedding_width: int | None = setting(None, "width of a low-rank word table")
    normalization: str | None = setting(
        None, "of the student's rows; full-int8 needs no_norm (default: the teacher's)", choices=NORMALIZATIONS
    )
    activation: str | None = setting(
        None, "in the student; relu costs full-int8 nothing (default: the teacher's)", choices=ACTIVATIONS
    )
    pooling: str | None = setting(
        None,
        "what the student's head reads; full-int8 needs first (default: the teacher's)",
        "--student-pooling",
        ("first", "mean"),
    )
    start: str = setting("truncated", "truncated, from_layers, random, or the folder of a student trained before")
    importance: str = setting("taylor", "what truncated keeps by", choices=("taylor", "magnitude", "random"))
    importance_examples: int = setting(512, "texts it is measured on")
    recipes: tuple[str, ...] = setting(
        ("tinybert",), "a published recipe or a file; given several times, step after step", "--recipe", repeat=True
    )
    layer_map: str | None = setting(None, "teacher layers to learn from: uniform, last, first, skip:2, or 1,3,5,6")
    epochs: tuple[int, ...] | None = setting(
        None, "of all steps, or of each (default: as the recipe's authors)", "--student-epochs"
    )
    learning_rates: tuple[float, ...] | None = setting(
        None, "the same for the learning rate", "--student-learning-rate"
    )
    patience: int | None = setting(None, "stop a step after N epochs without a better one", "--student-patience")
    cache_budget_bytes: int = setting(
        4 * 2**30, "keep a step's teacher answers on disk if they take no more (4G; 0 never)", "--cache-budget"
    )


@dataclass(frozen=True)
class ConvertConfig:
    precisions: tuple[str, ...] = setting(
        ("float32", "float16", "dynamic"), "of the last model: the student as it ends up", "--precision"
    )
    teacher_precisions: tuple[str, ...] = setting(("float32",), "of the teacher, where it is not the last model")
    stage_precisions: tuple[str, ...] = setting(
        ("float32",), "of each model between the teacher and the last, to see what its stage cost"
    )
    length: int | None = setting(None, "fixed number of tokens (default: dynamic, what each text has)", "--length")
    compatible_with: str | None = setting(None, "students that this client can run, e.g. task-library (of 2023)")
    calibration_texts: int = setting(256, "training texts for int8 ranges, where a precision needs them")


@dataclass(frozen=True)
class VerifyConfig:
    clients: tuple[str, ...] | None = setting(None, "run these clients only (default: all)", "--clients")
    required: tuple[str, ...] = setting((), "these clients must run every student and agree", "--require")
    texts: int = setting(20, "dev texts that clients are given", "--verify-texts")


@dataclass(frozen=True)
class BenchmarkConfig:
    threads: tuple[int, ...] = setting((1,), "numbers of threads to measure with", "--threads")
    lengths: tuple[int, ...] = setting((), "pad and cut texts to these (default: each text's own)", "--bench-length")
    texts: int = setting(20, "dev texts to measure with", "--bench-texts")
    runs: int = setting(100, "of each file", "--runs")


@dataclass(frozen=True)
class CompressConfig:
    teacher: str | None = setting(None, "a checkpoint folder, `minilm`, or a hub id (owner/name)")
    run: str | None = setting(None, "the run's folder: everything is in it")
    budget_minutes: float | None = setting(None, "scale epochs to this time, and say what was given up")
    seed: int = setting(0, "of everything random")
    allow_download: bool = setting(False, "fetch a hub id that is not in the local cache")
    data: DataConfig = field(default_factory=DataConfig)
    finetune: FinetuneConfig = field(default_factory=FinetuneConfig)
    distill_text: DistillTextConfig = field(default_factory=DistillTextConfig)
    distill: DistillConfig = field(default_factory=DistillConfig)
    shrink: ShrinkConfig = field(default_factory=ShrinkConfig)
    prune: PruneConfig = field(default_factory=PruneConfig)
    quantize: QuantizeConfig = field(default_factory=QuantizeConfig)
    trim: TrimConfig = field(default_factory=TrimConfig)
    convert: ConvertConfig = field(default_factory=ConvertConfig)
    verify: VerifyConfig = field(default_factory=VerifyConfig)
    benchmark: BenchmarkConfig = field(default_factory=BenchmarkConfig)

    def __post_init__(self) -> None:
        self.data.check()
        for name in COMPRESSIONS:
            self.stage(name).check(name)
        _require(
            self.budget_minutes is None or self.budget_minutes > 0, "budget_minutes", "above 0", self.budget_minutes
        )
        _require(self.convert.calibration_texts >= 1, "convert.calibration_texts", "1 or more", "none")
        for name in ("verify", "benchmark"):
            _require(getattr(self, name).texts >= 1, f"{name}.texts", "1 or more", getattr(self, name).texts)
        for name, precisions in (("precisions", self.convert.precisions), ("teacher_precisions", self.references)):
            _require(bool(precisions), f"convert.{name}", "one precision or more", "none")
        _require(
            "float32" in self.references,
            "convert.precisions" if self.last_model == TEACHER else "convert.teacher_precisions",
            "float32 among them (every other file is compared with it)",
            ", ".join(self.references),
        )
        wants_text = bool(self.distill_text.corpus)
        _require(
            self.has_student or not wants_text,
            "distill_text.corpus",
            "none without a student",
            self.distill_text.corpus,
        )
        _require(
            not wants_text or self.distill.start in ("truncated", "from_layers", "random"),
            "distill.start",
            "a method beside a corpus (the student starts there, and then learns the task)",
            self.distill.start,
        )

    @property
    def has_student(self) -> bool:
        return self.distill.student != NO_STUDENT

    @property
    def compressions(self) -> tuple[str, ...]:
        """Stages behind the student that are asked for."""
        return tuple(name for name in COMPRESSIONS if self.stage(name).is_asked)

    def stage(self, name: str) -> StageConfig:
        """The table of one of COMPRESSIONS."""
        return getattr(self, name)

    @property
    def models(self) -> tuple[str, ...]:
        """By name, each made of the one before it."""
        student = (STUDENT,) if self.has_student else ()
        return (TEACHER, *student, *(COMPRESSIONS[name] for name in self.compressions))

    @property
    def last_model(self) -> str:
        """What all the others are made for."""
        return self.models[-1]

    @property
    def references(self) -> tuple[str, ...]:
        """The teacher's precisions."""
        return self.convert.precisions if self.last_model == TEACHER else self.convert.teacher_precisions


def _require(holds: bool, subject: str, expected: str, got: object) -> None:
    if not holds:
        raise TrainingError(f"{subject}: expected {expected}, got {got}. Do: correct it.")


def tables() -> dict[str, type]:
    """The configuration's tables by the names that they have in a file."""
    return {
        one.name: one.default_factory
        for one in dataclasses.fields(CompressConfig)
        if one.default_factory is not dataclasses.MISSING
    }
