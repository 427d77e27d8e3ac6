"""Writes golden/registered_versions.json: the newest version of each operator that each runtime registers.

    python -m tests.export.make_registered_versions 2.14=FOLDER[:FOLDER] 2.20=FOLDER ... L2.3=

Each runtime is a name as in runtime_versions.py and the folders of its unpacked wheels (tflite-runtime or
ai-edge-litert, and the numpy it wants), in the order of their age; no folder means the installed one.
"""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

from ai_edge_litert import schema_py_generated as schema

from tests.export.model_builder import Graph, pack

GOLDEN = Path(__file__).parent / "golden" / "registered_versions.json"
NEWEST_ASKED = 20
# Read by a runtime of its own: it must not import anything of ours.
ASK = """
import base64, json, os, sys
try:
    from tflite_runtime.interpreter import Interpreter
except ImportError:
    from ai_edge_litert.interpreter import Interpreter
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
newest = {}
for operator, models in json.load(sys.stdin).items():
    for version, model in enumerate(models, start=1):
        try:
            Interpreter(model_content=base64.b64decode(model))
            newest[operator] = version
        except ValueError:
            pass
print(json.dumps(newest))
"""


def naming(operator: str, version: int) -> bytes:
    """A model that names an operator in its table without using it: runtimes look up every entry of the table."""
    graph = Graph()
    source, target = graph.add("float32", [1]), graph.add("float32", [1])
    graph.op("LOGISTIC", [source], [target])
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(graph.build([source], [target]), 0))
    code = schema.OperatorCodeT()
    code.builtinCode, code.version = getattr(schema.BuiltinOperator, operator), version
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    model.operatorCodes.append(code)
    return pack(model)


def main() -> None:
    internal = ("CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES")
    operators = [name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)]
    asked = {
        operator: [base64.b64encode(naming(operator, version)).decode() for version in range(1, NEWEST_ASKED + 1)]
        for operator in sorted(set(operators) - set(internal))
    }
    answers = {}
    for argument in sys.argv[1:]:
        runtime, _, folders = argument.partition("=")
        answer = subprocess.run(
            [sys.executable, "-c", ASK],
            input=json.dumps(asked),
            env={**os.environ, "PYTHONPATH": folders},
            capture_output=True,
            text=True,
            check=True,
        )
        answers[runtime] = json.loads(answer.stdout)
        print(f"{runtime}: {len(answers[runtime])} operators")
    known = sorted(operator for operator in asked if any(operator in answer for answer in answers.values()))
    rows = [f'  "{operator}": {[answer.get(operator, 0) for answer in answers.values()]}' for operator in known]
    GOLDEN.write_text(
        f'{{\n "runtimes": {json.dumps(list(answers))},\n "newest": {{\n' + ",\n".join(rows) + "\n }\n}\n"
    )


if __name__ == "__main__":
    main()
