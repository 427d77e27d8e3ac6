"""Laws of the house that import-linter does not know."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "edgebert"
MODULES = sorted(PACKAGE.rglob("*.py"))
FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "helper", "misc"}
LONGEST_MODULE_LINES = 350
LONGEST_FUNCTION_LINES = 60
# Tables that a script writes and nobody reads line by line.
GENERATED = {"data/characters_table.py"}
# External package -> the only places that may import it.
DOORS = {
    "tensorflow_model_optimization": ("compression/", "model_optimization.py"),
    "tflite_support": ("export/metadata", "export/clients/"),
    "tensorflow_lite_support": ("export/metadata", "export/clients/"),
    "ai_edge_quantizer": ("export/",),
}


def imports(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_obeys_the_house(path: Path) -> None:
    place = str(path.relative_to(PACKAGE))
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert not FORBIDDEN_NAMES & set(Path(place).with_suffix("").parts)
    assert place in GENERATED or text.count("\n") <= LONGEST_MODULE_LINES
    for node in ast.walk(tree):
        assert not isinstance(node, ast.Assert), f"line {node.lineno}: assert outside tests"
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno <= LONGEST_FUNCTION_LINES, f"{node.name} is too long"
        if isinstance(node, ast.ExceptHandler):
            caught = getattr(node.type, "id", None)
            assert node.type is not None and caught not in ("Exception",), f"line {node.lineno} catches everything"
    for package, doors in DOORS.items():
        if package in imports(tree):
            assert place.startswith(doors), f"{package} is imported outside {doors}"


def test_functions_are_traced_as_they_are_written() -> None:
    """By `edgebert.keras.traced`: TensorFlow's own translates all of Keras first, for branches that nothing has."""
    spelt = {str(path.relative_to(PACKAGE)) for path in MODULES if "tf.function" in path.read_text(encoding="utf-8")}
    assert spelt == {"keras.py"}


def test_help_and_the_command_lines_parser_load_nothing_heavy() -> None:
    heavy = ("tensorflow", "tf_keras", "transformers", "tokenizers", "ai_edge_litert", "safetensors", "pyarrow")
    code = f"""
import sys
from edgebert.cli import build_parser
build_parser()
print([module for module in {heavy} if module in sys.modules])
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.stdout.strip() == "[]", ran.stderr
