"""Writes the small models of tests/export/golden:  python -m tests.export.make_golden_models

plain_*.tflite      a textbook BERT of 2 layers from TensorFlow's converter, float32, float16, dynamic and int8
quantizer_*.tflite  the same float32 file from ai-edge-quantizer, with the operator versions it writes
"""

from pathlib import Path

from ai_edge_quantizer import qtyping
from ai_edge_quantizer.quantizer import Quantizer

from benchmarks.plain_reference import PRECISIONS, build, convert

GOLDEN = Path(__file__).parent / "golden"
SHAPE = {"layers": 2, "width": 32, "heads": 2, "feed_forward": 64, "vocabulary": 64, "length": 8}


def quantized(model: bytes, algorithm: str) -> bytes:
    quantizer = Quantizer(bytearray(model))
    operation = qtyping.TFLOperationName.FULLY_CONNECTED
    if algorithm == "float16":
        quantizer.add_weight_only_config(".*", operation, num_bits=16, algorithm_key="float_casting")
    else:
        quantizer.add_dynamic_config(".*", operation, num_bits=8 if algorithm == "dynamic" else 4)
    result = quantizer.quantize(enable_progress_bar=False, enable_progress_report=False)
    return bytes(result.quantized_model)


def main() -> None:
    model = build(**SHAPE)
    plain = {precision: convert(model, precision) for precision in PRECISIONS}
    files = {f"plain_{precision}": content for precision, content in plain.items()}
    for algorithm in ("dynamic", "int4", "float16"):
        files[f"quantizer_{algorithm}"] = quantized(plain["float32"], algorithm)
    for name, content in files.items():
        (GOLDEN / f"{name}.tflite").write_bytes(content)
        print(f"{name}: {len(content):,} bytes")


if __name__ == "__main__":
    main()
