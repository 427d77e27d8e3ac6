"""A client in Python that does what the phones' clients do: packed vocabulary, packed labels, ASCII lower case alone.

It stands in for them where a test is about edgebert and not about them. Argument 1 is what is wrong with it. Handed
tokens instead of texts, it is an interpreter.
"""

import json
import os
import signal
import sys

import numpy
from ai_edge_litert.interpreter import Interpreter

from edgebert.bundle import read_bundle
from edgebert.data.tokenizer_settings import TokenizerSettings
from edgebert.data.wordpiece import WordPiece

AS_CLIENTS_DO = TokenizerSettings(strip_accents=False, special_tokens_in_text=False)


def main(fault: str) -> None:
    request = json.load(sys.stdin)
    if "tokens" in request:
        answer(answers=[run_tokens(request["model"], tokens, fault) for tokens in request["tokens"]])
        return
    bundle = read_bundle(request["model"])
    is_probe = bundle.description.provenance.get("made_by") == "edgebert verify"
    if fault == "refuses":
        answer(refusal="Didn't find op for builtin opcode 'FULLY_CONNECTED' version '12'. An older version ...")
    elif fault == "crashes" or (fault == "crashes on the probe" and is_probe):
        os.kill(os.getpid(), signal.SIGSEGV)
    else:
        answer(answers=[classify(request["model"], bundle, text, fault, is_probe) for text in request["texts"]])


def classify(path, bundle, text, fault, is_probe):
    if fault == "fails on long texts" and len(text) > 20:
        print("gather index out of bounds", file=sys.stderr)
        return {"error": "Invoke() failed."}
    run = Interpreter(path, num_threads=1).get_signature_runner()
    width = run.get_input_details()["input_ids"]["shape_signature"][1]
    settings = TokenizerSettings() if fault == "strips accents" else AS_CLIENTS_DO
    ids = WordPiece(bundle.vocabulary, settings).encode(text, length=512 if width == -1 else width).input_ids
    tokens = numpy.zeros((1, len(ids) if width == -1 else width), numpy.int32)
    mask = numpy.zeros_like(tokens)
    tokens[0, : len(ids)], mask[0, : len(ids)] = ids, 1
    (values,) = run(input_ids=tokens, input_mask=mask, segment_ids=numpy.zeros_like(tokens)).values()
    values = values[0].tolist()
    if fault == "answers nonsense" and not is_probe:
        values = [0.5 + len(text) % 7 / 20, 0.5 - len(text) % 7 / 20]
    return {"values": values, "names": bundle.labels}


def run_tokens(path, tokens, fault):
    kept = len(tokens["input_ids"])
    if fault == "sees the first text alone":
        kept = tokens["segment_ids"].count(0)
    elif fault == "forgets the segments":
        tokens = tokens | {"segment_ids": [0] * kept}
    run = Interpreter(path, num_threads=1).get_signature_runner()
    (values,) = run(**{name: numpy.array([ids[:kept]], numpy.int32) for name, ids in tokens.items()}).values()
    return {"values": values[0].tolist()}


def answer(**content) -> None:
    json.dump({"version": "1.0", **content}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
