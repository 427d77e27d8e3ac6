"""Runs on the emulated core, and once more on this machine so that the answers can be compared.

It reads `request.json` from its folder, runs the model as told there, each inference between two marks for the
counting plugin, and writes `answer.json` and the outputs' bytes. A copy of this file is what runs: the guest has numpy
and LiteRT but not edgebert. A mark is an argument of umask (see counting_plugin.c); outside the emulator it only sets
the usual umask.
"""

import gc
import json
import operator
import os
import platform
import sys
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter


class Model:
    def __init__(self, request):
        self._interpreter = Interpreter(request["model"], num_threads=1)
        self._tensors = request["tensors"]
        self._inputs = [
            [np.asarray([row], dtype) for row, dtype in zip(rows, request["dtypes"], strict=True)]
            for rows in request["arrays"]
        ]
        shapes = {detail["index"]: detail["shape_signature"] for detail in self._interpreter.get_input_details()}
        self._resizable = any(-1 in shapes[tensor] for tensor in self._tensors)
        self._length = None

    def run(self, number, begin, end):
        """Run input `number` between two marks."""
        arrays = self._inputs[number]
        self._allocate(arrays)
        # Before every run: the arena gives an input's memory to later tensors once the input has been read.
        for tensor, array in zip(self._tensors, arrays, strict=True):
            self._interpreter.set_tensor(tensor, array)
        # Works around LiteRT: the public invoke() adds some 3,000 instructions of Python to what is counted.
        invoke = self._interpreter._interpreter.Invoke
        # Without bytecode in between, which Python changes while it runs.
        list(map(operator.call, (os.umask, invoke, os.umask), (begin, 0, end)))

    def outputs(self):
        """Each output with its scale and zero point; a scale of 0 where it is not quantised."""
        for detail in self._interpreter.get_output_details():
            scale, zero_point = detail["quantization"]
            yield self._interpreter.get_tensor(detail["index"]), float(scale), int(zero_point)

    def describe(self):
        nodes = [
            {
                "index": int(node["index"]),
                "op_name": node["op_name"],
                "inputs": [int(tensor) for tensor in node["inputs"]],
                "outputs": [int(tensor) for tensor in node["outputs"]],
            }
            for node in self._interpreter._get_ops_details()
        ]
        tensors = {
            int(detail["index"]): np.dtype(detail["dtype"]).name for detail in self._interpreter.get_tensor_details()
        }
        return {"nodes": nodes, "tensor_types": tensors}

    def _allocate(self, arrays):
        length = arrays[0].shape[1]
        if self._length == length:
            return
        if self._resizable:
            for tensor, array in zip(self._tensors, arrays, strict=True):
                self._interpreter.resize_tensor_input(tensor, array.shape)
        if self._resizable or self._length is None:
            self._interpreter.allocate_tensors()
        self._length = length


def run_model(request):
    model = Model(request)
    # A collection in the middle of an inference would be counted.
    gc.disable()
    last = {number: position for position, (number, _, _) in enumerate(request["runs"])}
    answers = []
    with Path("answers.bin").open("wb") as file:
        for position, (number, begin, end) in enumerate(request["runs"]):
            model.run(number, begin, end)
            if last[number] == position:
                for output, scale, zero_point in model.outputs():
                    described = {"dtype": output.dtype.name, "shape": output.shape}
                    answers.append({**described, "scale": scale, "zero_point": zero_point})
                    file.write(output.tobytes())
    return {**model.describe(), "answers": answers, "maps": Path("/proc/self/maps").read_text()}


def main():
    request = json.loads(Path("request.json").read_text())
    versions = {"python_version": platform.python_version(), "numpy_version": np.__version__}
    Path("answer.json").write_text(json.dumps({**versions, **run_model(request)}))


if __name__ == "__main__":
    sys.exit(main())
