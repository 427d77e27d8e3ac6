"""In which numbers the matrix products of a training step are computed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgebert.errors import TrainingError
from edgebert.keras import tf
from edgebert.quiet import quiet_native_output

OPTION = "auto_mixed_precision_onednn_bfloat16"


def check_arithmetic(arithmetic: str) -> None:
    """Before anything slow: other processors emulate bfloat16, slower than they compute float32."""
    if arithmetic == "bfloat16" and not has_fast_bfloat16():
        raise TrainingError(
            "training arithmetic: expected a processor with avx512_bf16 or amx_bf16 for bfloat16, got one without. "
            "Do: train with float32."
        )


def has_fast_bfloat16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


@contextmanager
def computing_in(arithmetic: str) -> Iterator[None]:
    """While it is open, functions compute their matrix products so; weights, sums and norms stay float32.

    Only the training step belongs inside: dev scores are then those of the float32 model that is kept.
    """
    tf.config.optimizer.set_experimental_options({OPTION: arithmetic == "bfloat16"})
    try:
        # TensorFlow remarks on every graph that it rewrites, and on what it compiles.
        with quiet_native_output():
            yield
    finally:
        tf.config.optimizer.set_experimental_options({OPTION: False})
