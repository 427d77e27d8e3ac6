"""Runs on the emulated core, and once more on this machine so that the answers can be compared.

It reads `request.json` from its folder, runs the model as told there, each inference between two marks for the
counting plugin, and writes `answer.json` and the outputs' bytes. A copy of this file is what runs: the guest has numpy
and LiteRT but not edgebert. Outside the emulator a mark only sets the usual umask.
"""

import gc
import json
import os
import platform
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter

BEGIN = 1
END = 2
END_WITH_BLOCKS = END | 1 << 13


def mark_argument(mark):
    """See counting_plugin.c."""
    return 0x7A000000 | mark << 9 | 0o022


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

    def run(self, number, end):
        """Run input `number` between two marks."""
        arrays = self._inputs[number]
        self._allocate(arrays)
        # Before every run: the arena gives an input's memory to later tensors once the input has been read.
        for tensor, array in zip(self._tensors, arrays, strict=True):
            self._interpreter.set_tensor(tensor, array)
        umask, begin, end = os.umask, mark_argument(BEGIN), mark_argument(end)
        # Works around LiteRT: the public invoke() adds some 3,000 instructions of Python to what is counted.
        invoke = self._interpreter._interpreter.Invoke
        umask(begin)
        invoke(0)
        umask(end)

    def outputs(self):
        return [self._interpreter.get_tensor(detail["index"]) for detail in self._interpreter.get_output_details()]

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
        outputs = [
            {"scale": float(detail["quantization"][0]), "zero_point": int(detail["quantization"][1])}
            for detail in self._interpreter.get_output_details()
        ]
        return {"nodes": nodes, "tensor_types": tensors, "outputs": outputs}

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
    last = {number: position for position, (number, _) in enumerate(request["runs"])}
    answers = []
    with open("answers.bin", "wb") as file:
        for position, (number, with_blocks) in enumerate(request["runs"]):
            model.run(number, END_WITH_BLOCKS if with_blocks else END)
            if last[number] == position:
                for output in model.outputs():
                    answers.append({"input": number, "dtype": output.dtype.name, "shape": list(output.shape)})
                    file.write(output.tobytes())
    with open("/proc/self/maps") as file:
        maps = file.read()
    return {**model.describe(), "answers": answers, "maps": maps}


def main():
    with open("request.json") as file:
        request = json.load(file)
    described = {"python_version": platform.python_version(), "numpy_version": np.__version__}
    if request["model"] is None:
        os.umask(mark_argument(BEGIN))
        os.umask(mark_argument(END))
    else:
        described.update(run_model(request))
    with open("answer.json", "w") as file:
        json.dump(described, file)


if __name__ == "__main__":
    sys.exit(main())
