"""What each part of distillation brings: one student of `configs/`, trained, exported and scored on its .tflite.

    python -m benchmarks.distillation.run sst2 c --seed 0 --data FOLDER --work FOLDER

FOLDER of --data holds the published datasets in their own layout (`sst2/`, `corpus/`); --work keeps what runs share
(the teacher, the student distilled on plain text) and what a killed run goes on from. The result goes to `results/`;
`python -m benchmarks.distillation.tables` makes the tables of them. A seed is the student's and its teacher's. The
variant `teacher` is the teacher itself: what `edgebert finetune` has made with the same inputs in
WORK/DATASET/teacher-SEED/training-N is found, and of several `edgebert average`'s mean is taken; --dry-run says which
are there, or in what they differ.
"""

import argparse
import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.distillation.plan import (
    Plan,
    StepPlan,
    VariantPlan,
    explicit,
    initialisation,
    read_general_plan,
    read_plan,
    student_config,
)
from edgebert.augment.augmenting import AugmentSettings, augment
from edgebert.augment.shards import read_augmented
from edgebert.cli.output import note
from edgebert.cli.progress_line import ProgressLine
from edgebert.config import HeadConfig
from edgebert.data.batches import EncodedDataset, encode_dataset
from edgebert.data.examples import Dataset, Example
from edgebert.data.plain_text import read_plain_text
from edgebert.data.wordpiece import WordPiece
from edgebert.distill.general import distil_general, general_steps
from edgebert.distill.initialisation.starting import Initialisation, initialise
from edgebert.distill.projections import read_projections
from edgebert.distill.published import published
from edgebert.distill.stages import Step, distil_task
from edgebert.errors import OutputError
from edgebert.export.answering import AnsweringModel
from edgebert.export.convert import Exporter, ExportRequest
from edgebert.files import write_atomically
from edgebert.models.checkpoint import load_checkpoint, save_checkpoint
from edgebert.models.loading import assign_tensors, load_model, model_tensors
from edgebert.models.sources import resolve_checkpoint
from edgebert.models.task import TaskModel, build_model
from edgebert.pipeline.config import DataConfig
from edgebert.pipeline.reading import read_data
from edgebert.progress import Report
from edgebert.stations.average_request import AverageRequest
from edgebert.stations.averaging import average_checkpoints
from edgebert.stations.finetuning import STATION, FinetuneRequest, finetune_checkpoint
from edgebert.stations.result_folder import RECORD_FILE, ResultFolder, work_folder
from edgebert.training.finetune import finetune
from edgebert.training.loop import begin
from edgebert.training.scoring import score
from edgebert.training.settings import TrainingSettings
from edgebert.version import VERSION

RESULTS = Path(__file__).parent / "results"
PRECISIONS = ("float32", "dynamic")


@dataclasses.dataclass(frozen=True)
class Bench:
    plan: Plan
    train: Dataset[Example]
    dev: Dataset[Example]
    data: Path
    work: Path
    report: Report
    seed: int = 0

    @property
    def teacher_folder(self) -> Path:
        return self.work / self.plan.name / f"teacher-{self.seed}"

    def trainings(self) -> list[tuple[Path, FinetuneRequest]]:
        """Of the teacher: each one's folder, and what `edgebert finetune` would be asked for."""
        plan = self.plan.teacher
        seeded = (dataclasses.replace(settings, seed=self.seed) for settings in plan.trainings)
        checkpoint = load_checkpoint(resolve_checkpoint(plan.checkpoint))
        return [
            (
                self.teacher_folder / f"training-{number}",
                FinetuneRequest(checkpoint, self.train, self.dev, settings, plan.pooling, self.plan.length),
            )
            for number, settings in enumerate(seeded, 1)
        ]

    def encoded(self, tokenizer: WordPiece) -> tuple[EncodedDataset, EncodedDataset]:
        train, dev = (encode_dataset(data, tokenizer, self.plan.length) for data in (self.train, self.dev))
        return train, dev


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", help="the name of a file in configs/")
    parser.add_argument("variant", help="teacher, or one of the file's variants")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, required=True, help="the folder of the published datasets")
    parser.add_argument("--work", type=Path, required=True, help="a folder for what runs share and go on from")
    parser.add_argument("--dry-run", action="store_true", help="say what of the teacher is in --work; train nothing")
    arguments = parser.parse_args()
    plan = read_plan(arguments.dataset)
    source = arguments.data / plan.data if (arguments.data / plan.data).exists() else plan.data
    # As the command line reads it: by the same inputs a training that it made is found.
    train, dev, *_ = read_data(DataConfig(source=str(source)))
    with ProgressLine() as report:
        bench = Bench(plan, train, dev, arguments.data, arguments.work, report, arguments.seed)
        if arguments.dry_run:
            print(standings(bench))
            return
        began = time.monotonic()
        if arguments.variant == "teacher":
            folder, result = teacher(bench)
        else:
            folder, result = student(bench, plan.variants[arguments.variant], arguments.variant)
        result |= {"dataset": plan.name, "variant": arguments.variant, "seed": arguments.seed, "version": VERSION}
        # Of the last call alone: a run that was taken up again took longer.
        result |= {"seconds": round(time.monotonic() - began), **scored(bench, folder)}
    write_result(f"{plan.name}-{arguments.variant}-{arguments.seed}", result)
    note(f"{plan.name} {arguments.variant}: {result['scores']}")


def write_result(name: str, result: dict[str, Any]) -> None:
    RESULTS.mkdir(exist_ok=True)
    write_atomically(RESULTS / f"{name}.json", (json.dumps(result, indent=2, default=str) + "\n").encode())


def teacher(bench: Bench) -> tuple[Path, dict[str, Any]]:
    """Fine-tune the teacher, or find it fine-tuned; of several trainings it is the mean."""
    trainings = bench.trainings()
    trained = [finetune_checkpoint(request, folder, bench.report) for folder, request in trainings]
    described = {
        "trainings": [
            {"settings": dataclasses.asdict(request.settings), **done.to_json()}
            for (_, request), done in zip(trainings, trained, strict=True)
        ]
    }
    if len(trainings) == 1:
        return trainings[0][0], described
    checkpoints = tuple(load_checkpoint(folder) for folder, _ in trainings)
    request = AverageRequest(checkpoints, bench.dev, bench.plan.length)
    averaged = average_checkpoints(request, bench.teacher_folder / "mean", bench.report)
    return bench.teacher_folder / "mean", described | {"mean": averaged.to_json()}


def standings(bench: Bench) -> str:
    """What there is of the teacher's trainings, without training any."""
    return "\n".join(
        f"{folder}: {standing(folder, STATION, request.to_json())}" for folder, request in bench.trainings()
    )


def standing(folder: Path, station: str, inputs: dict[str, Any]) -> str:
    """`finished`, `begun`, `not begun`, or how what is there differs from what is wanted."""
    try:
        ResultFolder(folder, station, inputs).check()
    except OutputError as error:
        return str(error)
    record = work_folder(folder) / RECORD_FILE
    return json.loads(record.read_bytes())["state"] if record.exists() else "not begun"


def student(bench: Bench, variant: VariantPlan, name: str) -> tuple[Path, dict[str, Any]]:
    """Start a student, train it through the variant's steps, keep it as a checkpoint."""
    source, _ = teacher(bench)
    taught, tokenizer = load_checkpoint(source), WordPiece.from_folder(source)
    teacher_model = load_model(taught).model
    train, dev = bench.encoded(tokenizer)
    general_student = general(bench) if variant.general else None
    config = student_config(bench.plan, taught.encoder)
    begin(bench.seed)
    how = initialisation(variant, bench.seed, general_student)
    started = initialise(config, taught.head, how, teacher_model, train, report=bench.report)
    model = build_model(config, taught.head)
    assign_tensors(model, started.tensors)
    if variant.augmented:
        train = augmented(bench, source, variant.augmented, tokenizer)
    folder = bench.work / bench.plan.name / f"{name}-{bench.seed}"
    projections = read_projections(general_student) if general_student else {}
    run = StudentRun(bench, variant, model, teacher_model, train, dev, folder, projections)
    steps = [run.step(number, step) for number, step in enumerate(variant.steps, 1)]
    save_checkpoint(folder / "checkpoint", model_tensors(model), config, taught.head, taught)
    described = {"plan": dataclasses.asdict(variant), "start": started.notes, "train_examples": len(train)}
    return folder / "checkpoint", described | {"steps": steps}


@dataclasses.dataclass(frozen=True)
class StudentRun:
    bench: Bench
    variant: VariantPlan
    model: TaskModel
    teacher: TaskModel
    train: EncodedDataset
    dev: EncodedDataset
    folder: Path
    projections: dict[str, np.ndarray]

    def step(self, number: int, step: StepPlan) -> dict[str, Any]:
        settings, began = TrainingSettings(**step.settings, seed=self.bench.seed), time.monotonic()
        place = self.folder / f"training-{number}-{step.recipe}"
        if step.recipe == "labels":
            epochs = finetune(self.model, self.train, self.dev, settings, self.bench.report, place)
            result = {"recipe": step.recipe, "epochs": [dataclasses.asdict(epoch) for epoch in epochs]}
        else:
            recipe = published(step.recipe)
            if self.variant.layers:
                recipe = dataclasses.replace(recipe, layer_map=explicit(self.variant.layers))
            steps = [Step(recipe, settings)]
            distilled = distil_task(
                self.model,
                self.teacher,
                self.train,
                self.dev,
                steps,
                place,
                self.bench.report,
                projections=self.projections,
            )
            result = dataclasses.asdict(distilled.steps[0])
        return result | {"settings": dataclasses.asdict(settings), "seconds": round(time.monotonic() - began)}


def general(bench: Bench) -> Path:
    """The student distilled on plain text from the published checkpoint, once for all datasets."""
    plan = read_general_plan()
    source = resolve_checkpoint(bench.plan.teacher.checkpoint)
    checkpoint, tokenizer = load_checkpoint(source), WordPiece.from_folder(source)
    head = HeadConfig("embedding", pooling=bench.plan.teacher.pooling)
    teacher_model = load_model(checkpoint, head).model
    corpus = [bench.data / name for name in plan.corpus]
    text = read_plain_text(corpus, tokenizer, plan.length, most_sequences=plan.most_sequences, report=bench.report)
    config = student_config(bench.plan, checkpoint.encoder)
    begin(plan.settings.seed)
    how = Initialisation("truncated", layer_map=explicit(plan.layers))
    started = initialise(config, head, how, teacher_model, text.train, report=bench.report)
    model = build_model(config, head)
    assign_tensors(model, started.tensors)
    steps = general_steps(plan.recipe, plan.settings, explicit(plan.layers))
    folder = bench.work / "general"
    result = distil_general(model, teacher_model, text.train, text.dev, steps, folder, bench.report, source=checkpoint)
    described = {"plan": dataclasses.asdict(plan), "start": started.notes, "train_examples": len(text.train)}
    described |= {"steps": [dataclasses.asdict(step) for step in result.steps], "files": len(text.files)}
    write_result("general", described)
    return result.checkpoint


def augmented(bench: Bench, teacher: Path, per_example: int, tokenizer: WordPiece) -> EncodedDataset:
    """The training data and, behind each example, its augmentations."""
    folder = bench.work / bench.plan.name / f"augmented-{per_example}-{bench.seed}"
    made = augment(bench.train, teacher, folder, AugmentSettings(per_example=per_example), report=bench.report)
    return encode_dataset(read_augmented(made.folder, bench.train.labels), tokenizer, bench.plan.length)


def scored(bench: Bench, checkpoint: Path) -> dict[str, Any]:
    """The dev score of the produced files, through an interpreter."""
    loaded = load_checkpoint(checkpoint)
    exporter = Exporter(load_model(loaded).model, WordPiece.from_folder(checkpoint), {"benchmark": bench.plan.name})
    texts = [(example.text, example.second_text) for example in bench.dev.examples]
    scores, sizes = {}, {}
    for precision in PRECISIONS:
        path = checkpoint.parent / f"{precision}.tflite"
        write_atomically(path, exporter.export(ExportRequest(precision, None)))
        outputs = AnsweringModel(path).answer_all(texts, bench.report)
        scores[precision] = score(loaded.head, outputs, bench.dev.label_ids())
        sizes[precision] = path.stat().st_size
    return {"scores": scores, "size_bytes": sizes, "dev_examples": len(texts)}


if __name__ == "__main__":
    main()
