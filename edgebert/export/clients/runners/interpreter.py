"""Runs in its own process: token ids into a TFLite interpreter. Reads a request on stdin; see process.py.

Argument 1 is the library (`litert` or `tensorflow`), argument 2 the kernels (`default`, or `builtin` for no delegate).
"""

import json
import os
import sys

INPUT_NAMES = ("input_ids", "input_mask", "segment_ids")


def main() -> None:
    library, kernels = sys.argv[1:3]
    # Native code prints on stdout too; the answer goes where that was, and everything else to stderr.
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    request = json.load(sys.stdin)
    version, module = load(library)
    try:
        run = signature_runner(module, request["model"], kernels)
    except (ValueError, RuntimeError) as error:
        json.dump({"version": version, "refusal": str(error)}, answer)
        answer.close()
        return
    answers = [answer_to(run, tokens) for tokens in request["tokens"]]
    json.dump({"version": version, "answers": answers}, answer)
    answer.close()


def load(library):
    if library == "litert":
        from importlib.metadata import version

        from ai_edge_litert import interpreter

        return version("ai-edge-litert"), interpreter
    import tensorflow

    return tensorflow.__version__, tensorflow.lite


def signature_runner(module, model, kernels):
    arguments = {"model_path": model, "num_threads": 1}
    if kernels == "builtin":
        resolver = module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        arguments["experimental_op_resolver_type"] = resolver
    interpreter = module.Interpreter(**arguments)
    interpreter.allocate_tensors()
    return interpreter.get_signature_runner()


def answer_to(run, tokens):
    import numpy

    length = run.get_input_details()["input_ids"]["shape_signature"][1]
    padding = 0 if length == -1 else length - len(tokens["input_ids"])
    inputs = {name: numpy.array([tokens[name] + [0] * padding], numpy.int32) for name in INPUT_NAMES}
    try:
        ((name, output),) = run(**inputs).items()
    except (ValueError, RuntimeError) as error:
        return {"error": str(error)}
    if numpy.issubdtype(output.dtype, numpy.integer):
        # As whoever reads an integer output must.
        scale, zero_point = run.get_output_details()[name]["quantization"]
        output = (output.astype(numpy.float32) - numpy.float32(zero_point)) * numpy.float32(scale)
    return {"values": [float(value) for value in output.reshape(-1)]}


if __name__ == "__main__":
    main()
