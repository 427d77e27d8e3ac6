"""The whole of it: labelled examples and a teacher to shards of examples, resumable."""

import dataclasses
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgebert.augment.candidates import CANDIDATE_SOURCES, Candidates
from edgebert.augment.drawing import draw_examples
from edgebert.augment.shards import STAGE, Shards
from edgebert.data.examples import Dataset, Example
from edgebert.errors import DataError
from edgebert.progress import Progress, Report, silent
from edgebert.run_directory import RunDirectory

TASK = "augmenting"
_REPORTED_EVERY = 1000
# Few enough to hear of progress where a masked-word head takes a second for each.
_EXAMPLES_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class AugmentSettings:
    """The defaults are those of TinyBERT's paper: N_a = 20, p_t = 0.4, K = 15."""

    per_example: int = 20
    replace_probability: float = 0.4
    candidates: int = 15
    seed: int = 0
    # `auto` is the teacher's masked-word head where it has one, else its table.
    candidates_from: str = "auto"
    examples_per_shard: int = 1000

    def __post_init__(self) -> None:
        for name in ("per_example", "candidates", "examples_per_shard"):
            _require(getattr(self, name) >= 1, name, "1 or more", getattr(self, name))
        _require(
            0 < self.replace_probability <= 1,
            "replace_probability",
            "more than 0 and at most 1",
            self.replace_probability,
        )
        known = CANDIDATE_SOURCES
        _require(self.candidates_from in known, "candidates_from", " or ".join(known), self.candidates_from)


@dataclass(frozen=True, slots=True)
class Augmented:
    """`folder` is for `read_augmented`. `new_texts` were made in `seconds`; the rest were there already."""

    folder: Path
    originals: int
    texts: int
    shards: int
    new_texts: int
    seconds: float
    # Where they came from, in words.
    candidates: str

    @property
    def texts_per_second(self) -> float:
        return self.new_texts / self.seconds if self.seconds else 0.0


def augment(
    data: Dataset[Example],
    teacher: Path,
    out: Path,
    settings: AugmentSettings,
    word_vectors: Path | None = None,
    report: Report = silent,
) -> Augmented:
    """Write each example, and after it its augmentations with its label, to shards below `out`.

    An interrupted run goes on behind the last whole shard and ends with the same files.
    """
    _check_alike(data)
    # What is drawn depends on the example alone: one that stands there twice would only be drawn twice the same.
    examples = tuple(dict.fromkeys(data.examples))
    with RunDirectory(out) as run_folder:
        candidates = Candidates(teacher, settings.candidates, settings.candidates_from, word_vectors)
        inputs = {"data": data.sha256, "candidates": candidates.identity, "settings": dataclasses.asdict(settings)}
        stage = run_folder.stage(STAGE, inputs)
        began, new_texts = time.monotonic(), 0
        if not stage.finished:
            shards = Shards(stage.folder)
            shards.remove_unfinished()
            new_texts, texts = _write_shards(examples, candidates, shards, settings, report)
            stage.finish(_result(examples, data.labels, texts, settings))
        return Augmented(
            folder=stage.folder,
            originals=stage.result["originals"],
            texts=stage.result["texts"],
            shards=stage.result["shards"],
            new_texts=new_texts,
            seconds=time.monotonic() - began,
            candidates=candidates.description,
        )


def _write_shards(
    examples: Sequence[Example], candidates: Candidates, shards: Shards, settings: AugmentSettings, report: Report
) -> tuple[int, int]:
    """How many texts were made now, and how many there are."""
    step = settings.examples_per_shard
    parts = [examples[start : start + step] for start in range(0, len(examples), step)]
    there = [shards.rows(number) for number in range(len(parts))]
    if None in there:
        candidates.study(_watched(examples, report))
    meter = _Meter(report, len(examples))
    for number, part in enumerate(parts):
        if there[number] is None:
            made = _augment_part(part, candidates, settings, meter)
            shards.write(number, made)
            there[number] = len(made)
        else:
            meter.tell(len(part), 0)
    return meter.texts, sum(there) - len(examples)


def _augment_part(
    part: Sequence[Example], candidates: Candidates, settings: AugmentSettings, meter: "_Meter"
) -> list[Example]:
    """Each example, and behind it what was made of it."""
    made: list[Example] = []
    for start in range(0, len(part), _EXAMPLES_AT_ONCE):
        block, before = part[start : start + _EXAMPLES_AT_ONCE], len(made)
        sides = [candidates.choices([example.text for example in block])]
        if block[0].second_text is not None:
            sides.append(candidates.choices([example.second_text for example in block]))
        for example, *choices in zip(block, *sides, strict=True):
            made.append(example)
            made += draw_examples(
                example,
                choices,
                count=settings.per_example,
                probability=settings.replace_probability,
                seed=settings.seed,
            )
        meter.tell(len(block), len(made) - before - len(block))
    return made


class _Meter:
    """How far it is, and how fast the texts come that are made now."""

    def __init__(self, report: Report, total: int):
        self._report, self._total, self._began = report, total, time.monotonic()
        self._done, self.texts = 0, 0

    def tell(self, examples: int, new_texts: int) -> None:
        self._done += examples
        self.texts += new_texts
        rate = self.texts / max(time.monotonic() - self._began, 1e-9)
        self._report(Progress(TASK, self._done, self._total, f"{rate:,.0f} sentences/s"))


def _watched(examples: Sequence[Example], report: Report) -> Iterator[str]:
    """The texts, with word of how far they are read."""
    for done, example in enumerate(examples, start=1):
        yield example.text
        if example.second_text is not None:
            yield example.second_text
        if done % _REPORTED_EVERY == 0 or done == len(examples):
            report(Progress("reading words", done, len(examples)))


def _result(
    examples: Sequence[Example], labels: Sequence[str] | None, texts: int, settings: AugmentSettings
) -> dict[str, object]:
    """What `read_augmented` needs to know; nothing of the time it took, so that equal runs leave equal files."""
    return {
        "originals": len(examples),
        "texts": texts,
        "shards": -(-len(examples) // settings.examples_per_shard),
        "pairs": examples[0].second_text is not None,
        "labelled": examples[0].label is not None,
        "labels": labels and list(labels),
    }


def _check_alike(data: Dataset[Example]) -> None:
    """All labelled or none, all pairs or none: a shard is one table."""
    if not data.examples:
        raise DataError(f"{data.source}: expected examples to augment, got none. Do: check the data.")
    for name, field in (("label", "label"), ("second text", "second_text")):
        without = sum(getattr(example, field) is None for example in data.examples)
        if 0 < without < len(data):
            raise DataError(
                f"{data.source}: expected a {name} for every example or for none, got {without:,} of {len(data):,} "
                f"without. Do: augment the two kinds apart."
            )


def _require(holds: bool, name: str, expected: str, got: object) -> None:
    if not holds:
        raise DataError(f"{name}: expected {expected}, got {got}. Do: correct the setting.")
