"""Our app's benchmark entry as android_demo/BENCHMARK.md fixes it: its start, its job, where its answers land."""

import json
from collections.abc import Sequence

from edgebert.benchmark.interleaving import round_order
from edgebert.benchmark.plan import Plan
from edgebert.benchmark.preparing import PreparedCase

CONTRACT = 1
PACKAGE = "dev.edgebert.demo"
ACTIVITY = f"{PACKAGE}/.BenchmarkActivity"
DELEGATE = "xnnpack"
JOB = "job.json"
BEGIN_SECONDS = 30.0
SILENCE_SECONDS = 600.0
_RESULTS = f"/sdcard/Android/data/{PACKAGE}/files/benchmark"
# Orders repeat after so many rounds.
_ORDERS = 64


def result_path(run_id: str) -> str:
    return f"{_RESULTS}/{run_id}.jsonl"


def start_command(run_id: str, job: str) -> str:
    return f"am start -S -n {ACTIVITY} --ei contract {CONTRACT} --es run_id {run_id} --es job {job}"


def model_name(model: int) -> str:
    """What a model is called on the phone: names may hold blanks, and two files may share one."""
    return f"model-{model}.tflite"


def write_job(plan: Plan, run_id: str, cases: Sequence[PreparedCase]) -> bytes:
    document = {
        "contract": CONTRACT,
        "run_id": run_id,
        "models": [model_name(model) for model in range(len(plan.models))],
        "cases": [
            {"model": case.setting[0], "threads": case.setting[1], "delegate": DELEGATE, "inputs": position}
            for position, case in enumerate(cases)
        ],
        "inputs": [
            {"tensors": case.binding.tensors, "dtypes": case.binding.dtypes, "rows": _rows(case)} for case in cases
        ],
        "warm_up": {"inputs": plan.warmup_inputs, "passes_limit": plan.warmup_passes_limit},
        "rounds": {
            "orders": [round_order(plan.seed, number, len(cases)) for number in range(_ORDERS)],
            "block_runs": plan.block_runs,
            "runs": plan.runs,
            "minimum_seconds": plan.minimum_seconds,
        },
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _rows(case: PreparedCase) -> list[list[tuple[int, ...]]]:
    return [[token_input.rows[role] for role in case.binding.roles] for token_input in case.feed.inputs]
