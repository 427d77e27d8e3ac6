"""Addresses become names: of a library compiled here, held against the C compiler's own listing."""

import ctypes
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebert.benchmark.emulated.plugin import compile_shared, find_compiler
from edgebert.benchmark.emulated.symbols import UNKNOWN, Library, count_by_function, readable
from tests.lacking import skip_for_lack

SOURCE = """
#define SEEN __attribute__((visibility("default"), noinline))
SEEN int first(int x) { return x * 3 + 1; }
static __attribute__((noinline, section(".text.behind_the_others"))) int hidden(int x) { return x / 7; }
SEEN int second(int x) { return hidden(x) + first(x); }
"""
# Far from where anything is mapped here.
BASE = 0x5500000000


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if find_compiler() is None:
        skip_for_lack("no C compiler on this machine")
    folder = tmp_path_factory.mktemp("symbols")
    (folder / "two.c").write_text(SOURCE)
    compile_shared(folder / "two.c", folder / "libtwo.so")
    return folder / "libtwo.so"


def addresses(library: Path) -> dict[str, int]:
    """Where the running linker puts the exported functions, less where it puts the library."""
    loaded = ctypes.CDLL(str(library))
    with Path("/proc/self/maps").open() as maps:
        base = min(int(line.split("-")[0], 16) for line in maps if line.rstrip().endswith(str(library)))
    return {name: ctypes.cast(getattr(loaded, name), ctypes.c_void_p).value - base for name in ("first", "second")}


def maps_of(library: Path) -> str:
    """The whole file mapped at BASE, between other things; gcc puts addresses and offsets of code alike."""
    size = library.stat().st_size
    return (
        f"{BASE:x}-{BASE + size:x} r-xp 00000000 fe:00 7 {' ' * 12}{library}\n"
        f"{BASE + 2 * size:x}-{BASE + 3 * size:x} r--p 00000000 fe:00 7 {library}\n"
        f"{BASE + 4 * size:x}-{BASE + 5 * size:x} rwxp 00000000 00:00 0 \n"
    )


def test_functions_are_found_where_the_linker_puts_them(library: Path) -> None:
    for name, address in addresses(library).items():
        assert Library(library).function_at(address) == name
        assert Library(library).function_at(address + 1) == name


def test_counts_are_added_up_by_function(library: Path) -> None:
    places = addresses(library)
    blocks = [(BASE + places["first"], 10), (BASE + places["first"] + 4, 5), (BASE + places["second"], 40), (64, 2)]
    assert count_by_function(blocks, maps_of(library)) == {"second": 40, "first": 15, UNKNOWN: 2}


def test_a_part_of_a_file_may_be_mapped(library: Path) -> None:
    place = addresses(library)["second"]
    maps = f"{BASE:x}-{BASE + 4096:x} r-xp {place:08x} fe:00 7 {library}\n"
    assert count_by_function([(BASE, 3)], maps) == {"second": 3}


@given(st.lists(st.tuples(st.integers(BASE - 9000, BASE + 90_000), st.integers(1, 10**9)), max_size=20))
def test_no_instruction_is_lost(library: Path, blocks: list) -> None:
    counted = count_by_function(blocks, maps_of(library))
    assert sum(counted.values()) == sum(count for _, count in blocks)
    assert list(counted.values()) == sorted(counted.values(), reverse=True)


def test_a_stripped_library_names_what_it_exports(library: Path, tmp_path: Path) -> None:
    places, stripped = addresses(library), tmp_path / "libtwo.so"
    subprocess.run(["strip", "-o", stripped, library], check=True)
    whole, bare = Library(library), Library(stripped)
    hidden = [offset for offset in range(library.stat().st_size) if whole.function_at(offset) == "hidden"]
    assert hidden
    # What no function covers is not given to the one before.
    assert {bare.function_at(offset) for offset in hidden} == {"(libtwo.so)"}
    assert bare.function_at(places["first"]) == "first"


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("xnn_f32_gemm", "xnn_f32_gemm"),
        ("_ZN6tflite8Subgraph10InvokeImplEv", "tflite::Subgraph::InvokeImpl"),
        (
            "_ZN6tflite12_GLOBAL__N_118UnresolvedOpInvokeEP13TfLiteContextP10TfLiteNode",
            "tflite::(anonymous)::UnresolvedOpInvoke",
        ),
        ("_ZNK4absl6Status4codeEv", "absl::Status::code"),
        (
            "_ZZN6tflite13reference_ops21BroadcastQuantSubSlowIaEEvRKNS_16ArithmeticParamsEENKUlaaS4_E_clEaaS4_",
            "tflite::reference_ops::BroadcastQuantSubSlow",
        ),
        ("_Zli", "_Zli"),
        ("", ""),
    ],
)
def test_a_mangled_name_reads_as_in_the_source(symbol: str, name: str) -> None:
    assert readable(symbol) == name
