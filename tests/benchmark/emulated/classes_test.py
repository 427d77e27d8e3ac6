"""Which class an instruction belongs to: known encodings, and every instruction of LiteRT's own library."""

import ctypes
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from edgebert.benchmark.emulated.counts import CLASSES
from edgebert.benchmark.emulated.environment import Environment
from edgebert.benchmark.emulated.plugin import CLASSES_HEADER, compile_shared, find_compiler
from tests.lacking import skip_for_lack

# From the Arm Architecture Reference Manual's encodings; the newer ones are unknown to the disassembler below.
ENCODINGS = {
    "int8_dot_product": {
        "sdot v0.4s, v1.16b, v2.16b": 0x4E829420,
        "udot v0.2s, v1.8b, v2.8b": 0x2E829420,
        "sdot v0.4s, v1.16b, v2.4b[0]": 0x4F82E020,
        "usdot v0.4s, v1.16b, v2.16b": 0x4E829C20,
        "usdot v0.4s, v1.16b, v2.4b[0]": 0x4F82F020,
        "sudot v0.4s, v1.16b, v2.4b[0]": 0x4F02F020,
    },
    "int8_matrix_multiply": {
        "smmla v0.4s, v1.16b, v2.16b": 0x4E82A420,
        "ummla v0.4s, v1.16b, v2.16b": 0x6E82A420,
        "usmmla v0.4s, v1.16b, v2.16b": 0x4E82AC20,
    },
    "widening_multiply": {
        "smlal v0.4s, v1.4h, v2.4h": 0x0E628020,
        "smlal2 v0.4s, v1.8h, v2.h[0]": 0x4F422020,
        "umull v0.8h, v1.8b, v2.8b": 0x2E22C020,
    },
    "float_multiply_add": {
        "fmla v0.4s, v1.4s, v2.4s": 0x4E22CC20,
        "fmla v0.4s, v1.4s, v2.s[0]": 0x4F821020,
        "fmla v0.8h, v1.8h, v2.8h": 0x4E420C20,
        "fmlal v0.4s, v1.4h, v2.4h": 0x4E22EC20,
        "fmlal2 v0.4s, v1.4h, v2.4h": 0x6E22CC20,
        "fmadd s0, s1, s2, s3": 0x1F020C20,
        "bfdot v0.4s, v1.8h, v2.8h": 0x6E42FC20,
        "bfmmla v0.4s, v1.8h, v2.8h": 0x6E42EC20,
        "fcmla v0.4s, v1.4s, v2.4s, #0": 0x6E82C420,
    },
    "other_float": {
        "fadd v0.4s, v1.4s, v2.4s": 0x4E22D420,
        "fadd v0.8h, v1.8h, v2.8h": 0x4E421420,
        "fmul v0.4s, v1.4s, v2.s[0]": 0x4F829020,
        "fmov v0.4s, #1.0": 0x4F03F600,
        "scvtf v0.4s, v1.4s": 0x4E21D820,
        "fcvtzs v0.4s, v1.4s, #8": 0x4F38FC20,
        "fcmp s0, s1": 0x1E212000,
        "fcadd v0.4s, v1.4s, v2.4s, #90": 0x6E82E420,
    },
    "other_vector": {
        "add v0.4s, v1.4s, v2.4s": 0x4EA28420,
        "mla v0.4s, v1.4s, v2.4s": 0x4EA29420,
        "movi v0.16b, #1": 0x4F00E420,
        "sqrdmlah v0.4s, v1.4s, v2.4s": 0x6E828420,
        "tbl v0.16b, {v1.16b}, v2.16b": 0x4E020020,
    },
    "vector_load": {"ldr q3, [x1]": 0x3DC00023, "ld1 {v0.16b}, [x1]": 0x4C407020, "ldp q0, q1, [x1]": 0xAD400420},
    "vector_store": {"str q3, [x1]": 0x3D800023, "st1 {v0.16b}, [x1]": 0x4C007020, "stp q0, q1, [x1]": 0xAD000420},
    "scalar_load": {
        "ldr x3, [x1]": 0xF9400023,
        "ldr x3, literal": 0x58000003,
        "ldadd x0, x2, [x1]": 0xF8200022,
        "ldapr x0, [x1]": 0xF8BFC020,
        "ldapur x0, [x1]": 0xD9400020,
        "prfm pldl1keep, [x1]": 0xF9800020,
    },
    "scalar_store": {
        "str x3, [x1]": 0xF9000023,
        "str x3, [x1, x2]": 0xF8226823,
        "stlur x0, [x1]": 0xD9000020,
        "stxr w2, x0, [x1]": 0xC8027C20,
    },
    "branch": {"b .+4": 0x14000001, "cbnz x0, .": 0xB5000000, "ret": 0xD65F03C0, "svc #0": 0xD4000001},
    "scalar": {"sub x0, x0, #1": 0xD1000400, "madd x0, x1, x2, x3": 0x9B020C20, "adrp x0, .": 0x90000000},
    "scalable_vector": {"add z0.s, z1.s, z2.s": 0x04A20020},
}
# Mnemonics of capstone 4 by class; whatever else it names on vector registers is other_vector.
FUSED = ("fmadd", "fmsub", "fnmadd", "fnmsub", "fmla", "fmls")
CONVERSIONS = ("scvtf", "ucvtf", "urecpe", "ursqrte")
WIDENING = tuple(f"{sign}{name}" for sign in "su" for name in ("mlal", "mlsl", "mull", "mlal2", "mlsl2", "mull2"))
SYSTEM = (
    *("svc", "hvc", "smc", "brk", "hlt", "dcps1", "dcps2", "dcps3", "eret", "drps", "mrs", "msr", "sys", "sysl"),
    *("hint", "nop", "yield", "wfe", "wfi", "sev", "sevl", "dmb", "dsb", "isb", "clrex", "ic", "dc", "at", "tlbi"),
)
BRANCHES = ("b", "bl", "br", "blr", "ret", "cbz", "cbnz", "tbz", "tbnz")


class Instruction(ctypes.Structure):
    """capstone's cs_insn."""

    _fields_ = (
        ("id", ctypes.c_uint),
        ("address", ctypes.c_uint64),
        ("size", ctypes.c_uint16),
        ("bytes", ctypes.c_uint8 * 16),
        ("mnemonic", ctypes.c_char * 32),
        ("operands", ctypes.c_char * 160),
        ("detail", ctypes.c_void_p),
    )


@pytest.fixture(scope="module")
def classify(tmp_path_factory: pytest.TempPathFactory):
    """The header's function over many words at once."""
    if find_compiler() is None:
        skip_for_lack("no C compiler on this machine")
    folder = tmp_path_factory.mktemp("classes")
    source = folder / "classes.c"
    source.write_text(
        f'#include "{CLASSES_HEADER}"\n'
        '__attribute__((visibility("default"))) void classify_all(const uint32_t *words, uint8_t *out, long count)\n'
        "{ for (long i = 0; i < count; i++) out[i] = classify(words[i]); }\n"
        '__attribute__((visibility("default"))) const char *name_of(int is) { return class_names[is]; }\n'
    )
    compile_shared(source, folder / "classes.so")
    library = ctypes.CDLL(str(folder / "classes.so"))
    library.name_of.restype = ctypes.c_char_p
    assert tuple(library.name_of(number).decode() for number in range(len(CLASSES))) == CLASSES

    def classes_of(words: np.ndarray) -> list[str]:
        words, out = np.ascontiguousarray(words, np.uint32), np.zeros(len(words), np.uint8)
        pointers = (array.ctypes.data_as(ctypes.c_void_p) for array in (words, out))
        library.classify_all(*pointers, ctypes.c_long(len(words)))
        return [CLASSES[number] for number in out]

    return classes_of


def test_known_encodings(classify) -> None:
    assert set(ENCODINGS) == set(CLASSES)
    for expected, encodings in ENCODINGS.items():
        got = dict(zip(encodings, classify(np.array(list(encodings.values()), np.uint32)), strict=True))
        assert got == dict.fromkeys(encodings, expected)


def expected_class(mnemonic: str, operands: str) -> str:
    """By the disassembler's text alone."""
    on_vectors = operands.startswith("{") or (operands[:1] in "vbhsdq" and operands[1:2].isdigit())
    if mnemonic in (*BRANCHES, *SYSTEM) or mnemonic.startswith("b."):
        return "branch"
    if mnemonic.startswith(("ld", "prf")):
        return "vector_load" if on_vectors else "scalar_load"
    if mnemonic.startswith("st"):
        return "vector_store" if on_vectors else "scalar_store"
    if mnemonic in FUSED:
        return "float_multiply_add"
    if mnemonic.startswith("f") or mnemonic in CONVERSIONS:
        return "other_float"
    if mnemonic in WIDENING and on_vectors:
        return "widening_multiply"
    if on_vectors or mnemonic in ("umov", "smov") or (mnemonic == "mov" and ", v" in operands):
        return "other_vector"
    return "scalar"


def disassemble(library: Path, words: np.ndarray):
    """(word, mnemonic, operands) of every word that capstone knows."""
    capstone = ctypes.CDLL(str(library))
    capstone.cs_malloc.restype = ctypes.POINTER(Instruction)
    capstone.cs_malloc.argtypes = (ctypes.c_size_t,)
    capstone.cs_disasm_iter.restype = ctypes.c_bool
    handle, arm64, little_endian = ctypes.c_size_t(), 1, 0
    assert capstone.cs_open(arm64, little_endian, ctypes.byref(handle)) == 0
    instruction = capstone.cs_malloc(handle)
    content = words.astype("<u4").tobytes()
    buffer = ctypes.create_string_buffer(content, len(content))
    for position, word in enumerate(words.tolist()):
        code = ctypes.c_void_p(ctypes.addressof(buffer) + 4 * position)
        size, address = ctypes.c_size_t(4), ctypes.c_uint64(0x10000)
        by_reference = (ctypes.byref(value) for value in (code, size, address))
        if capstone.cs_disasm_iter(handle, *by_reference, instruction):
            yield word, instruction.contents.mnemonic.decode(), instruction.contents.operands.decode()


@pytest.mark.long
def test_every_instruction_of_the_runtime_is_in_the_class_of_its_name(classify, emulator: Environment) -> None:
    """An independent disassembler (qemu's) names each; the words of other data in the file come on top."""
    content = np.fromfile(emulator.folder / "site/ai_edge_litert/libpywrap_litert_common.so", np.uint8)
    words = np.unique(content[: len(content) // 4 * 4].view("<u4"))
    words = np.random.default_rng(0).choice(words, 300_000, replace=False)
    classes = dict(zip(words.tolist(), classify(words), strict=True))
    known, wrong = Counter(), []
    capstone = emulator.folder / "qemu/usr/lib/x86_64-linux-gnu/libcapstone.so.4"
    for word, mnemonic, operands in disassemble(capstone, words):
        known[classes[word]] += 1
        if classes[word] != expected_class(mnemonic, operands):
            wrong.append(f"{word:#010x} {mnemonic} {operands}: {classes[word]}")
    assert wrong == []
    # What capstone 4 does not know, it cannot confirm.
    newer = {"int8_dot_product", "int8_matrix_multiply", "scalable_vector"}
    assert set(known) == set(CLASSES) - newer
    assert min(known.values()) > 100
