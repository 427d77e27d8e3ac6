"""Runs in its own process and environment: texts into Task Library. Reads a request on stdin; see process.py."""

import ctypes
import json
import os
import sys
import types
from importlib.metadata import version


def main() -> None:
    # Native code prints on stdout too; the answer goes where that was, and everything else to stderr.
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    request = json.load(sys.stdin)
    text = load()
    result = {"version": version("tflite-support")}
    if request["model"] is not None:
        result.update(run(text, request))
    json.dump(result, answer)
    answer.close()


def load():
    # Works around tflite-support 0.4.4: its libraries link libusb (for an Edge TPU), which its wheel does not bring;
    # its audio tasks, imported with the others, want PortAudio. Text needs neither.
    import libusb_package

    ctypes.CDLL(str(libusb_package.get_library_path()), mode=ctypes.RTLD_GLOBAL)
    sys.modules["sounddevice"] = types.ModuleType("sounddevice")
    from tflite_support.task import text

    return text


def run(text, request):
    embedding = request["task"] == "embedding"
    client = text.TextEmbedder if embedding else text.BertNLClassifier
    try:
        model = client.create_from_file(request["model"])
    except (ValueError, RuntimeError) as error:
        return {"refusal": str(error)}
    answer = embed if embedding else classify
    return {"answers": [answer(model, each) for each in request["texts"]]}


def classify(model, text):
    try:
        text.encode("utf-8")
        categories = model.classify(text).classifications[0].categories
    except (ValueError, RuntimeError) as error:
        return {"error": str(error)}
    return {
        "names": [category.category_name for category in categories],
        "values": [float(category.score) for category in categories],
    }


def embed(model, text):
    try:
        text.encode("utf-8")
        vector = model.embed(text).embeddings[0].feature_vector.value
    except (ValueError, RuntimeError) as error:
        return {"error": str(error)}
    return {"values": [float(value) for value in vector]}


if __name__ == "__main__":
    main()
