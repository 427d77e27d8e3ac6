"""The configuration: defaults, a file, flags over it, strictness, and that what is written reads back."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as draw

from edgebert.errors import EdgebertError, TrainingError
from edgebert.pipeline.config import CompressConfig, DataConfig
from edgebert.pipeline.config_file import build_config, dotted_names, read_toml, to_plain, to_toml, types_of
from tests.data.house_form import assert_house_form

DATA = {"data": {"source": "snips"}}
CONFIGS = sorted((Path(__file__).parents[2] / "benchmarks" / "configs").glob("*.toml"))


def refusal(*layers: dict, source: str = "my.toml") -> str:
    with pytest.raises(EdgebertError) as caught:
        build_config(*layers, source=source)
    assert_house_form(str(caught.value))
    return str(caught.value)


def test_later_layers_win_key_by_key() -> None:
    config = build_config({**DATA, "seed": 3, "finetune": {"epochs": 2, "batch_size": 8}}, {"finetune": {"epochs": 5}})
    assert (config.seed, config.finetune.epochs, config.finetune.batch_size) == (3, 5, 8)
    assert config.finetune.learning_rate == CompressConfig(data=DataConfig("snips")).finetune.learning_rate


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (
            {"finetune": {"epoch": 3}},
            "my.toml finetune.epoch: expected a known key, got 'epoch'. Do: write finetune.epochs.",
        ),
        ({"epochs": 3}, "Do: write finetune.epochs."),
        ({"finetun": {"epochs": 3}}, "Do: write [finetune]."),
        ({"distill": {"heads": "two"}}, "my.toml distill.heads: expected a whole number, got 'two'"),
        ({"distill": {"heads": True}}, "expected a whole number, got True"),
        ({"distill": {"heads": 2.0}}, "expected a whole number, got 2.0"),
        ({"data": {"include_out_of_scope": 1}}, "expected true or false, got 1"),
        ({"verify": {"required": [1]}}, "my.toml verify.required: expected a text, got 1"),
        ({"finetune": 3}, "my.toml finetune: expected a table, got 3"),
        ({"budget_minutes": 0}, "budget_minutes: expected above 0, got 0"),
        ({"convert": {"precisions": []}}, "convert.precisions: expected one precision or more, got none"),
        ({"convert": {"teacher_precisions": ["dynamic"]}}, "convert.teacher_precisions: expected float32 among them"),
        (
            {"distill": {"student": "none"}, "convert": {"precisions": ["dynamic"]}},
            "convert.precisions: expected float32",
        ),
        ({"distill": {"student": "none"}, "distill_text": {"corpus": "a"}}, "expected none without a student"),
        ({"distill": {"start": "a/folder"}, "distill_text": {"corpus": "a"}}, "distill.start: expected a method"),
        ({"data": {"train": "a.csv", "dev": "b.csv"}}, "expected --data SOURCE or --train FILE, got both"),
        (
            {"prune": {"epochs": 5}},
            "prune.epochs: expected it beside what asks for the stage, got it alone. Do: give prune.s",
        ),
        ({"trim": {"minimum": 2}}, "Do: write trim.minimum_count."),
        ({"data": {"max_examples": 0}}, "--max-examples: expected 1 or more, got 0"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict, says: str) -> None:
    assert says in refusal(DATA, fields)


def test_data_must_be_named_whole() -> None:
    assert "got neither" in refusal({})
    assert "got one alone" in refusal({"data": {"train": "a.csv"}})


def test_a_number_may_stand_for_a_list_of_one_and_a_whole_number_for_any() -> None:
    config = build_config({**DATA, "budget_minutes": 5, "distill": {"epochs": 4, "recipes": "minilm"}})
    assert (config.budget_minutes, config.distill.epochs, config.distill.recipes) == (5.0, (4,), ("minilm",))


VALUES = {
    str: draw.text(alphabet=draw.characters(codec="utf-8", exclude_characters="\x7f"), max_size=8),
    int: draw.integers(1, 10**9),
    float: draw.floats(1e-9, 1e9),
    bool: draw.booleans(),
}
# Those that contradict others, or whose values are not free.
STAGES = ("shrink.", "prune.", "quantize.", "trim.")
TIED = ("data.train", "data.dev", "distill.student", "distill.start", "convert.", "distill_text.corpus", *STAGES)


@draw.composite
def configurations(choose) -> dict:
    fields: dict = {"data": {"source": "snips"}}
    for name, kind in types_of().items():
        if name.startswith(TIED) or not choose(draw.booleans()):
            continue
        text = str(kind)
        plain = next(one for one in (str, float, int, bool) if one.__name__ in text)
        value = choose(VALUES[plain])
        if name == "data.source" and not value:
            continue
        table, _, key = name.rpartition(".")
        (fields.setdefault(table, {}) if table else fields)[key] = [value] if "tuple" in text else value
    return fields


@settings(deadline=None)
@given(configurations())
def test_what_is_written_reads_back(fields: dict) -> None:
    config = build_config(fields)
    assert build_config(tomllib.loads(to_toml(config))) == config == build_config(to_plain(config))


def test_a_file_that_is_no_toml_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("epochs = = 3\n")
    for path in (tmp_path / "broken.toml", tmp_path / "missing.toml", tmp_path):
        with pytest.raises(TrainingError) as caught:
            read_toml(path)
        assert_house_form(str(caught.value))


def test_every_field_is_explained_once_and_flags_differ() -> None:
    fields = dotted_names()
    assert all(one.metadata["help"] for one in fields.values())
    flags = [one.metadata["flag"] or f"--{name.rpartition('.')[2].replace('_', '-')}" for name, one in fields.items()]
    assert len(set(flags)) == len(flags)


def test_a_stage_is_asked_for_by_what_it_is_to_do_and_its_model_has_its_name() -> None:
    assert build_config(DATA).models == ("teacher", "student") and build_config(DATA).compressions == ()
    asked = {"trim": {"minimum_count": 1}, "prune": {"pattern": "2:4", "epochs": 9}, "shrink": {"heads": 2}}
    config = build_config(DATA, asked, {"quantize": {"scheme": "static"}})
    # In the one order that is right, whatever order they are written in.
    assert config.models == ("teacher", "student", "shrunk", "pruned", "quantized", "trimmed")
    assert config.last_model == "trimmed" and config.references == ("float32",)
    alone = build_config(DATA, {"distill": {"student": "none"}}, {"trim": {"keep_pieces": 5000}})
    assert alone.models == ("teacher", "trimmed") and alone.references == alone.convert.teacher_precisions
    assert build_config(tomllib.loads(to_toml(config))) == config


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_configurations_of_results_are_read(path: Path) -> None:
    """Where the data is not bundled, a flag names it."""
    fields = read_toml(path)
    config = build_config({} if "data" in fields else DATA, fields, source=str(path))
    assert config.last_model == "trimmed" and config.benchmark.lengths == (128,) and config.benchmark.threads == (1,)
    assert "float32" in config.references and config.run is None


def test_there_are_configurations_of_results() -> None:
    assert {path.stem for path in CONFIGS} >= {"clinc150-97", "clinc150-94", "sst2-97", "sst2-94"}
