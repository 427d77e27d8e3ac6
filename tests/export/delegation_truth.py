"""What LiteRT's XNNPACK delegate really takes, node for node.

Run as a program it answers for random operators, in a process of its own: LiteRT ends some of them in a segfault.
    python -m tests.export.delegation_truth FIRST_SEED END_SEED
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ai_edge_litert.interpreter import Interpreter

CRASHED = "crashed"


@dataclass(frozen=True)
class Truth:
    taken: tuple[bool, ...]
    """Per node of the first graph, in file order."""
    error: str
    """Why the runtime could not prepare the graph; empty when it could."""


def delegated_nodes(model: bytes) -> Truth:
    """Load with every delegated node in a partition of its own, so that each DELEGATE node names its one original."""
    interpreter = Interpreter(model_content=model, num_threads=1, experimental_disable_delegate_node_fusion=True)
    error = ""
    try:
        interpreter.allocate_tensors()
    except RuntimeError as refusal:
        error = str(refusal)
    nodes = [
        (interpreter._interpreter.NodeName(index), interpreter._interpreter.NodeOutputs(index))
        for index in range(interpreter._interpreter.NumNodes())
    ]
    originals = [(index, outputs) for index, (name, outputs) in enumerate(nodes) if name != "DELEGATE"]
    producer = {int(tensor): index for index, outputs in originals for tensor in outputs}
    taken = set()
    for name, outputs in nodes:
        if name == "DELEGATE":
            (original,) = {producer[int(tensor)] for tensor in outputs}
            taken.add(original)
    return Truth(tuple(index in taken for index, _ in originals), error)


def delegated_pieces(model: bytes) -> int:
    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    names = [interpreter._interpreter.NodeName(index) for index in range(interpreter._interpreter.NumNodes())]
    return names.count("DELEGATE")


def truths_of_random_operators(first_seed: int, end_seed: int) -> dict[int, Truth]:
    """By seed; an operator that ends the process counts as crashed, and the next process goes on behind it."""
    truths: dict[int, Truth] = {}
    seed = first_seed
    while seed < end_seed:
        child = subprocess.run(
            [sys.executable, "-m", "tests.export.delegation_truth", str(seed), str(end_seed)],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=False,
        )
        for line in child.stdout.splitlines():
            seed, taken, error = json.loads(line)
            truths[seed] = Truth(tuple(taken), error)
            seed += 1
        if child.returncode:
            truths[seed] = Truth((), CRASHED)
            seed += 1
    return truths


def main() -> None:
    from tests.export.random_operators import random_model

    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    for seed in range(int(sys.argv[1]), int(sys.argv[2])):
        truth = delegated_nodes(random_model(seed))
        print(json.dumps([seed, truth.taken, truth.error]), flush=True)


if __name__ == "__main__":
    main()
