"""The tool's output: recorded ones of several years, and every form of its statistics line."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebert.benchmark.phone.tool_output import NS_PER_US, Block, last_words, parse

RECORDED = Path(__file__).parent / "recorded"


def recorded(name: str) -> str:
    return (RECORDED / name).read_text()


def microseconds(block: Block) -> tuple[int, ...]:
    values = (block.first_ns, block.mean_ns, block.standard_deviation_ns, block.minimum_ns, block.maximum_ns)
    return block.runs, *(value // NS_PER_US for value in values)


@pytest.mark.parametrize(
    ("name", "initialization_us", "warmup", "measured", "delegate"),
    [
        (
            "2019_android.txt",
            12_516,
            (4, 184_820, 146_548, 22_096, 133_681, 184_820),
            (10, 133_816, 133_690, 230, 133_474, 134_269),
            None,
        ),
        (
            "2020_android.txt",
            870_557,
            (4, 130_565, 122_373, 4_930, 117_370, 130_565),
            (50, 119_212, 119_375, 1_948, 113_737, 124_776),
            None,
        ),
        (
            "2025_arm.txt",
            5_579,
            (1, 1_357_602, 1_357_602, 0, 1_357_602, 1_357_602),
            (50, 1_249_964, 1_240_270, 2_565, 1_238_588, 1_252_566),
            None,
        ),
    ],
)
def test_recorded_outputs(
    name: str, initialization_us: int, warmup: tuple, measured: tuple, delegate: str | None
) -> None:
    output = parse(recorded(name))
    assert output.initialization_ns == initialization_us * NS_PER_US
    assert microseconds(output.warmup) == warmup
    assert microseconds(output.measured) == measured
    assert (output.delegate, output.delegation) == (delegate, None)
    # None of them was given input files, and none tells ten or fifty runs one by one.
    assert not output.reads_value_files and output.measured.exact_ns is None


def test_a_percentile_is_read_where_there_is_one() -> None:
    assert parse(recorded("2025_arm.txt")).measured.median_ns == 1_239_807 * NS_PER_US
    assert parse(recorded("2019_android.txt")).measured.median_ns is None


def test_the_memory_that_is_told_is_kept_and_none_is_made_up() -> None:
    told = parse(recorded("2025_arm.txt"))
    assert (told.loaded_growth_bytes, told.overall_growth_bytes) == (round(6.36328 * 2**20), round(109.832 * 2**20))
    # Whole kibibytes, as far as six digits tell them.
    assert abs(told.loaded_growth_bytes - 6516 * 1024) < 8
    for name in ("2019_android.txt", "2020_android.txt"):
        untold = parse(recorded(name))
        assert (untold.loaded_growth_bytes, untold.overall_growth_bytes) == (None, None)


@pytest.mark.parametrize(
    ("written", "loaded", "overall"),
    [
        ("init=0 overall=337", 0, 337 * 2**20),
        ("init=1e+01 overall=2.5e-1", 10 * 2**20, 2**18),
        ("init=-1 overall=nan", None, None),
        ("init=1", None, None),
    ],
)
def test_memory_in_every_form(written: str, loaded: int | None, overall: int | None) -> None:
    text = f"{line([5, 6], False)}\nMemory footprint delta from the start of the tool (MB): {written}\n"
    assert (parse(text).loaded_growth_bytes, parse(text).overall_growth_bytes) == (loaded, overall)


def test_one_warm_up_run_is_told_exactly() -> None:
    assert parse(recorded("2025_arm.txt")).warmup.exact_ns == (1_357_602 * NS_PER_US,)


def test_a_tool_that_failed_has_no_result_but_words() -> None:
    text = recorded("2022_refused.txt")
    assert parse(text) is None
    assert last_words(text).endswith("Failed to apply XNNPACK delegate.; Benchmarking failed.")
    assert last_words("INFO: STARTING!\nERROR: Failed to load model x\n") == "Failed to load model x"
    assert last_words("") == "no word"


def line(values: list[int], percentiles: bool) -> str:
    """As tensorflow/core/util/stats_calculator.h has it."""
    if min(values) == max(values):
        text = f"count={len(values)} curr={values[-1]}" + ("(all same)" if len(values) > 1 else "")
    else:
        text = f"count={len(values)} first={values[0]} curr={values[-1]} min={min(values)} max={max(values)}"
        text += f" avg={np.mean(values):g} std={int(np.std(values))}"
    ordered = sorted(values)
    return text + "".join(
        f" {name}={ordered[len(values) * at // 100]}"
        for name, at in (("p5", 5), ("median", 50), ("p95", 95))
        if percentiles
    )


@given(
    warmup=st.lists(st.integers(1, 10**8), min_size=1, max_size=6),
    values=st.lists(st.integers(1, 10**8), min_size=1, max_size=6),
    percentiles=st.booleans(),
    levels=st.booleans(),
)
def test_no_run_is_made_up(warmup: list[int], values: list[int], percentiles: bool, levels: bool) -> None:
    """What is taken for the runs' own times are those, whatever was measured; in doubt there are none."""
    level = "INFO: " if levels else ""
    text = f"{level}{line(warmup, percentiles)}\n\n{level}{line(values, percentiles)}\n"
    block = parse(text).measured
    assert block.runs == len(values)
    assert (block.minimum_ns, block.maximum_ns) == (min(values) * NS_PER_US, max(values) * NS_PER_US)
    assert block.mean_ns == pytest.approx(np.mean(values) * NS_PER_US, rel=1e-5)
    known = len(values) <= 2 or len(set(values)) == 1
    assert block.exact_ns == (tuple(value * NS_PER_US for value in values) if known else None)


def test_the_profilers_lines_are_not_results() -> None:
    results = f"{line([7, 9], False)}\n{line([5, 6], False)}\n"
    text = f"{results}Timings (microseconds): count=9 curr=1\nMemory (bytes): count=0\n"
    assert parse(text).measured.exact_ns == (5000, 6000)


def test_an_output_that_breaks_off_is_none() -> None:
    assert parse("STARTING!\nRunning benchmark for at least 1 iterations\n") is None
    assert parse("count=0 curr=0\n") is None


@pytest.mark.parametrize(
    ("written", "reads"),
    [
        ("Input value files: [input_ids:/data/a]", True),
        ("INFO: Input value files: [input_ids:/data/a]", True),
        ("Input layer values files: [input_ids:/data/a]", True),
        ("Input layer values files: []", False),
        ("Input value ranges: [input_ids,0,1]", False),
    ],
)
def test_a_tool_says_that_it_reads_input_files(written: str, reads: bool) -> None:
    assert parse(f"{written}\n{line([5, 6], False)}\n").reads_value_files is reads


def test_the_delegates_line() -> None:
    replaced = (
        "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"
        "VERBOSE: Replacing {0} out of 63 node(s) with delegate (TfLiteXNNPackDelegate) node, yielding 2 partitions "
        "for subgraph 0.\ncount=1 curr=5\n"
    )
    some = parse(replaced.format(55))
    assert some.delegate == "XNNPACK"
    assert (some.delegation.nodes, some.delegation.delegated_nodes, some.delegation.partitions) == (63, 55, 2)
    assert some.delegation.operators_outside == {"not named by the tool": 8}
    assert parse(replaced.format(63)).delegation.operators_outside == {}
