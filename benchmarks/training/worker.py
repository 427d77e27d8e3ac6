"""One side of the comparison in a process of its own: reads chunk numbers, answers with nanoseconds and peak memory."""

import json
import resource
import sys
import time
from collections.abc import Callable

from benchmarks.training.shapes import Batch, chunk


def serve(step: Callable[[Batch], None]) -> None:
    """`step(batch)` trains on one batch and returns when it is done."""
    print("ready", flush=True)
    for line in sys.stdin:
        batches = chunk(int(line))
        began = time.perf_counter_ns()
        for batch in batches:
            step(batch)
        elapsed = time.perf_counter_ns() - began
        peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({"nanoseconds": elapsed, "peak_bytes": peak_kb * 1024}), flush=True)
