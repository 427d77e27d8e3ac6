"""Kinds of work, held against the functions that ran in the committed records."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebert.benchmark.emulated.kinds import KINDS, REST, instructions_by_kind, kind_of, kind_rows
from edgebert.benchmark.emulated.report import report_on_counts
from edgebert.measurement_file import read_record

RECORDS = Path(__file__).parents[3] / "benchmarks" / "graph"


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        ("xnn_qd8_f32_qc8w_gemm_minmax_ukernel_4x16__neon_mlal_lane_prfm", "int8 products"),
        ("xnn_qp8_f32_qc8w_gemm_minmax_ukernel_16x4c4__aarch64_neondot_mstep4", "int8 products"),
        ("xnn_qs8_qc8w_gemm_minmax_fp32_ukernel_4x16c4__asm_aarch64_neondot_ld128", "int8 products"),
        ("kai_run_matmul_clamp_f32_qai8dxp4x4_qsi8cxp4x4_16x4_neon_dotprod", "int8 products"),
        ("kai_kernel_matmul_clamp_f32_qai8dxp4x8_qsi8cxp4x8_16x4_neon_i8mm", "int8 products"),
        ("xnn_f32_gemm_minmax_ukernel_6x8__asm_aarch64_neonfma_cortex_a75_prfm", "float products"),
        ("xnn_compute_hmp_grouped_gemm", "float products"),
        ("kai_run_lhs_quant_pack_qai8dxp_f32", "quantising"),
        ("xnn_f32_qs8_vcvt_ukernel__neonv8_u32", "quantising"),
        ("xnn_qs8_f32_vcvt_ukernel__neon_u32", "quantising"),
        ("xnn_f32_rminmax_ukernel__neon_u16_acc4", "quantising"),
        ("xnn_f32_raddstoreexpminusmax_ukernel__neonfma_rr1_lut64_p2_u16_acc2", "softmax"),
        ("xnn_f32_rmax_ukernel__neon_u16_acc4", "softmax"),
        ("xnn_f32_vgelu_ukernel__neon_rational_12_10_div_u8", "activations"),
        ("xnn_f32_vtanh_ukernel__neon_rational_9_8_div_u16", "activations"),
        ("xnn_f32_vaddc_ukernel__neon_u8", "elementwise"),
        ("xnn_qs8_vadd_minmax_ukernel__neon_ld64_u32", "elementwise"),
        ("xnn_f32_vsqrdiffc_ukernel__neon_u8", "elementwise"),
        ("xnn_f32_vrsqrt_ukernel__scalar_sqrt_u4", "elementwise"),
        ("xnn_f32_rsum2_ukernel__neon_u16_acc4", "sums"),
        ("xnn_x32_transposec_ukernel__4x4_aarch64_neon_tbl128", "moving"),
        ("xnn_x32_packw_gemm_goi_ukernel_x8__neon_ld4lane_u4_prfm", "moving"),
        ("tflite::ops::builtin::embedding_lookup::EvalHybrid", "look-ups"),
        ("tflite::reference_ops::Gather", "look-ups"),
        ("(libc.so.6)", REST),
        ("pthreadpool_parallelize_1d", REST),
    ],
)
def test_a_kernel_is_known_by_its_name(function: str, kind: str) -> None:
    assert kind_of(function) == kind


@given(st.dictionaries(st.text(min_size=1), st.integers(0, 10**12)))
def test_nothing_is_lost_or_counted_twice(by_function: dict[str, int]) -> None:
    counted = instructions_by_kind(by_function)
    assert sum(counted.values()) == sum(by_function.values())
    assert tuple(counted) == KINDS


@pytest.mark.parametrize("name", ["instructions.json", "instructions-lengths.json"])
def test_little_is_left_without_a_kind(name: str) -> None:
    record = read_record(RECORDS / name)
    for case in record.cases:
        counted = instructions_by_kind(case.emulation.instructions_by_function)
        total = sum(counted.values())
        assert counted[REST] < 0.05 * total
        is_int8 = "dynamic" in record.models[case.model].name
        assert (counted["int8 products"] > 0.4 * total) == is_int8
        assert (counted["quantising"] > 0.005 * total) == is_int8
        # Every kernel of XNNPACK and KleidiAI has a kind.
        kernels = [function for function in case.emulation.instructions_by_function if "ukernel" in function]
        assert [function for function in kernels if kind_of(function) == REST] == []


def test_a_row_for_each_case() -> None:
    record = read_record(RECORDS / "instructions-lengths.json")
    header, rows = kind_rows(report_on_counts(record))
    assert len(rows) == len(record.cases) and all(len(row) == len(header) for row in rows)
    for row in rows:
        assert sum(float(cell.rstrip("%")) for cell in row[3:]) == pytest.approx(100, abs=0.6)
