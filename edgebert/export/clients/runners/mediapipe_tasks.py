"""Runs in its own process and environment: texts into MediaPipe Tasks. Reads a request on stdin; see process.py."""

import contextlib
import json
import os
import sys
from importlib.metadata import version

# What its C interface turns a status into.
FAILURES = (ValueError, RuntimeError, OSError, LookupError)
# Works around MediaPipe 1.2.2: to collect a graph whose closing failed waits for ever, so they are kept until the end.
DISCARDED = []


def main() -> None:
    # Native code prints on stdout too; the answer goes where that was, and everything else to stderr.
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    request = json.load(sys.stdin)
    from mediapipe.tasks.python import text

    result = {"version": version("mediapipe")}
    if request["model"] is not None:
        result.update(run(text, request))
    json.dump(result, answer)
    answer.close()
    # Past the collection of what was discarded.
    os._exit(0)


def run(text, request):
    embedding = request["task"] == "embedding"
    answer = embed if embedding else classify
    try:
        model = create(text, embedding, request["model"])
    except FAILURES as error:
        return {"refusal": str(error)}
    answers = []
    for each in request["texts"]:
        answers.append(answer(model, each))
        if "error" in answers[-1]:
            # A graph that failed once answers nothing more.
            discard(model)
            model = create(text, embedding, request["model"])
    return {"answers": answers}


def create(text, embedding, path):
    from mediapipe.tasks.python.core.base_options import BaseOptions

    options = BaseOptions(model_asset_path=path)
    if embedding:
        return text.TextEmbedder.create_from_options(text.TextEmbedderOptions(base_options=options))
    return text.TextClassifier.create_from_options(text.TextClassifierOptions(base_options=options))


def discard(model):
    DISCARDED.append(model)
    # Closing tells of the same failure a second time.
    with contextlib.suppress(*FAILURES):
        model.close()


def classify(model, text):
    try:
        categories = model.classify(text).classifications[0].categories
    except FAILURES as error:
        return {"error": str(error)}
    return {
        "names": [category.category_name for category in categories],
        "values": [float(category.score) for category in categories],
    }


def embed(model, text):
    try:
        vector = model.embed(text).embeddings[0].embedding
    except FAILURES as error:
        return {"error": str(error)}
    return {"values": [float(value) for value in vector]}


if __name__ == "__main__":
    main()
