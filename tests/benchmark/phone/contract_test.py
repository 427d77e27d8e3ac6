"""The page that fixes the app's contract says what the code does."""

import dataclasses
import json
import re

import pytest

from edgebert.benchmark.interleaving import round_order
from edgebert.benchmark.phone import contract
from edgebert.benchmark.phone.events import METRICS, AppFailedError, Progress
from edgebert.benchmark.phone.folder import ROOT
from edgebert.benchmark.plan import Plan
from edgebert.benchmark.preparing import PreparedCase
from edgebert.benchmark.texts import builtin_texts
from edgebert.measurement import Delegation
from tests.benchmark.conftest import DYNAMIC, FIXED
from tests.benchmark.phone.events_test import RUN_ID, prepared
from tests.benchmark.phone.stand_in import REPOSITORY

PAGE = (REPOSITORY / "android_demo/BENCHMARK.md").read_text()


def job(*cases: PreparedCase, **changes: object) -> dict:
    plan = Plan(models=(DYNAMIC, FIXED), texts=builtin_texts(2), seed=7, **changes)
    return json.loads(contract.write_job(plan, RUN_ID, cases))


def keys(value: object) -> set[str]:
    """Every key in a document, lists looked into."""
    if isinstance(value, dict):
        return set(value).union(*(keys(item) for item in value.values()))
    return set().union(*(keys(item) for item in value)) if isinstance(value, list) else set()


def test_the_page_has_the_start_and_the_result() -> None:
    assert PAGE.startswith(f"# The app's benchmark entry: contract {contract.CONTRACT}\n")
    assert contract.start_command("RUN_ID", "JOB_PATH") in PAGE
    assert contract.result_path("RUN_ID") in PAGE
    assert f"{ROOT}/" in PAGE
    assert f"within {contract.BEGIN_SECONDS:g} s" in PAGE
    assert f"no new line for {contract.SILENCE_SECONDS / 60:g} minutes" in PAGE


def test_the_pages_example_is_a_job_as_it_is_written() -> None:
    example = re.search(r"^    \{.*?\n\n", PAGE, re.MULTILINE | re.DOTALL)
    assert keys(json.loads(example.group())) == keys(job(prepared(0), prepared(1)))


def test_the_page_names_every_column() -> None:
    assert all(f"`{metric}`" in PAGE for metric in METRICS)
    assert all(f"| `{event}` |" in PAGE for event in EVENTS)


EVENTS = ("begin", "case", "warm_up", "block", "end", "error")
EXAMPLES = [json.loads(line) for line in re.findall(r'^    (\{"event": .*\})$', PAGE, re.MULTILINE)]


def read(*events: dict) -> Progress:
    progress = Progress(RUN_ID, (prepared(),))
    progress.take("".join(json.dumps(event) + "\n" for event in events))
    return progress


def test_the_page_has_an_example_of_every_event_that_is_read_to_the_end() -> None:
    assert {example["event"] for example in EXAMPLES} == set(EVENTS)
    progress = read(*(example for example in EXAMPLES if example["event"] != "error"))
    assert progress.ended and progress.runtime is not None and progress.warmed == progress.rounds_done == 1
    case = progress.cases[0].finished(progress.runtime)
    asked = json.loads(re.search(r"^    \{.*?\n\n", PAGE, re.MULTILINE | re.DOTALL).group())["rounds"]
    assert len(case.samples) == asked["block_runs"] == asked["runs"]
    assert set(case.samples.values) == set(case.warmup.values) == set(METRICS)
    left = sum(case.delegation.operators_outside.values())
    assert case.delegation.nodes - case.delegation.delegated_nodes == left > 0


@pytest.mark.parametrize("example", [example for example in EXAMPLES if example["event"] == "error"])
def test_the_pages_errors_are_read_as_errors(example: dict) -> None:
    with pytest.raises(AppFailedError):
        read(EXAMPLES[0], example)


def test_the_page_names_every_field_of_every_event() -> None:
    """What the reader asks for stands in the event's row or in the table below it; what stands there, in an example."""
    assert all(f"| `{field.name}` |" in PAGE for field in dataclasses.fields(Delegation))
    for example in EXAMPLES:
        (row,) = re.findall(rf"^\| `{example['event']}` \|.*$", PAGE, re.MULTILINE)
        named = set(re.findall(r"`(\w+)`", row)) | ({"input", *METRICS} if "columns" in row else set())
        named |= {field.name for field in dataclasses.fields(Delegation)} if "delegation" in row else set()
        named |= {"supported"} if example["event"] == "error" else set()
        told = example if example["event"] != "case" else {**example, "delegation": _without_names(example)}
        assert keys(told) - {"event"} <= named, example["event"]
        if example["event"] not in ("error", "end"):
            assert named - {"end"} <= keys(told) | {example["event"]}, example["event"]


def _without_names(example: dict) -> dict:
    """Operators are no fields."""
    return {**example["delegation"], "operators_outside": None}


def test_a_job() -> None:
    written = job(prepared(0), prepared(1), runs=30, minimum_seconds=0.25)
    assert (written["contract"], written["run_id"]) == (1, RUN_ID)
    assert written["models"] == ["model-0.tflite", "model-1.tflite"]
    assert [(case["model"], case["inputs"], case["delegate"]) for case in written["cases"]] == [
        (0, 0, "xnnpack"),
        (1, 1, "xnnpack"),
    ]
    assert written["inputs"][0] == {
        "tensors": [0, 1, 2],
        "dtypes": ["int32", "int32", "int32"],
        "rows": [[[2, 5, 3], [1, 1, 1], [0, 0, 0]]] * 2,
    }
    assert (written["rounds"]["runs"], written["rounds"]["minimum_seconds"]) == (30, 0.25)
    orders = [tuple(order) for order in written["rounds"]["orders"]]
    assert orders == [round_order(7, number, 2) for number in range(len(orders))]
    assert {(0, 1), (1, 0)} == set(orders)
