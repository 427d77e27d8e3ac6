"""The small real models beside these tests, by name. make_golden_models.py writes them."""

from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"
NAMES = tuple(sorted(path.stem for path in GOLDEN.glob("*.tflite")))


def golden(name: str) -> bytes:
    return (GOLDEN / f"{name}.tflite").read_bytes()
