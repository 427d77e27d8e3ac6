"""LiteRT: `python -m benchmarks.inference.with_litert FOLDER MODEL.tflite`."""

import sys
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from benchmarks.inference.worker import inputs_of, serve


def main() -> None:
    folder, model = map(Path, sys.argv[1:])
    interpreter = Interpreter(model_path=str(model), num_threads=1)
    names = {detail["index"]: detail["name"] for detail in interpreter.get_input_details()}
    places = {name.removeprefix("serving_default_").partition(":")[0]: place for place, name in names.items()}
    length = inputs_of(folder)["input_ids"].shape[1]
    for place in places.values():
        interpreter.resize_tensor_input(place, (1, length))
    interpreter.allocate_tensors()
    output = interpreter.get_output_details()[0]["index"]
    if "segment_ids" in places:
        interpreter.set_tensor(places["segment_ids"], np.zeros((1, length), np.int32))

    def answer(ids, mask):
        interpreter.set_tensor(places["input_ids"], ids)
        interpreter.set_tensor(places["input_mask"], mask)
        interpreter.invoke()
        return interpreter.get_tensor(output)

    serve(answer, folder, "ai-edge-litert")


if __name__ == "__main__":
    main()
