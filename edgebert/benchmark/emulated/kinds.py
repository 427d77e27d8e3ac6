"""Instructions by kind of work, told by the names of the functions that ran: XNNPACK's and KleidiAI's kernels say in
theirs what they compute, LiteRT's own operators in their namespace.

A kind is nearly an operator; what a softmax multiplies by is elementwise.
"""

import re
from collections.abc import Mapping, Sequence

from edgebert.benchmark.emulated.report import CountReport
from edgebert.benchmark.report import Rows, tokens_of

REST = "rest"
EXPLANATION = (
    "Shares are of the first counted run, by what the functions' names say: products with int8 weights are",
    "FULLY_CONNECTED, those of floats also BATCH_MATMUL; what operators share, as memcpy and the thread pool, is rest.",
)
# The first pattern that a name matches is its kind.
_KINDS = (
    ("quantising", r"quant_pack|_vcvt_|rminmax|packq|pack_lh|compute_pack_lh|qs8_quantize|f32_qs8|qs8_f32_v"),
    ("int8 products", r"^kai_.*matmul|^xnn_q\w*_(i?gemm|qc\d)|q[psd]8gemm|^xnn_q\w*gemm"),
    ("float products", r"^xnn_f(16|32)_(i?gemm|\w*gemm_minmax)|xnn_compute_(hmp_)?(grouped_)?(batch_)?gemm"),
    ("softmax", r"raddstoreexpminusmax|_rmax_|softmax|lut32norm"),
    ("activations", r"_v(gelu|approxgelu|tanh|sigmoid|elu|hswish|lrelu|clamp)_|x8_lut"),
    ("sums", r"_rd?sum2?_|contiguous_reduce|discontiguous_reduce|reciprocal"),
    (
        "elementwise",
        r"^xnn_\w+_v(add|sub|rsub|mul|div|rdiv|max|min|sqr|rsqrt|sqrt|neg|abs|prelu)|elementwise|univector",
    ),
    ("moving", r"transpose|packw|_copy_|_fill_|_pad_|unpool|zip"),
    ("look-ups", r"embedding_lookup|(?i:gather)"),
)
_PATTERNS = tuple((kind, re.compile(pattern)) for kind, pattern in _KINDS)
KINDS = (*(kind for kind, _ in _KINDS), REST)


def kind_of(function: str) -> str:
    return next((kind for kind, pattern in _PATTERNS if pattern.search(function)), REST)


def instructions_by_kind(by_function: Mapping[str, int]) -> dict[str, int]:
    """Every instruction in one of KINDS."""
    counted = dict.fromkeys(KINDS, 0)
    for function, instructions in by_function.items():
        counted[kind_of(function)] += instructions
    return counted


def kind_rows(reports: Sequence[CountReport]) -> Rows:
    """Each case's first counted run, in shares of all its instructions."""
    rows = []
    for entry in reports:
        by_kind = instructions_by_kind(entry.case.emulation.instructions_by_function)
        total = max(sum(by_kind.values()), 1)
        shares = (f"{instructions / total:.1%}" for instructions in by_kind.values())
        rows.append((entry.label, entry.case.emulation.core, tokens_of(entry.case), *shares))
    return ("model", "core", "tokens", *KINDS), rows
