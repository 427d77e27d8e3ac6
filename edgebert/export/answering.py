"""Texts answered by a .tflite itself: what scores and predictions are made with, never the Keras model."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgebert.bundle import Description, read_bundle
from edgebert.data.batches import INPUT_NAMES
from edgebert.data.wordpiece import Encoded, WordPiece
from edgebert.errors import ArtefactError
from edgebert.export.flatbuffer import read_model
from edgebert.progress import Progress, Report, silent
from edgebert.quiet import quiet_native_output

TextPair = tuple[str, str | None]


class AnsweringModel:
    """One file in LiteRT's interpreter, with the tokenizer that is packed in it."""

    def __init__(self, path: str | os.PathLike, threads: int = 1):
        from ai_edge_litert.interpreter import Interpreter

        self.path = Path(path)
        # Whatever is wrong with the file is said here, in one line, and not by native code.
        read_model(self.path)
        bundle = read_bundle(self.path)
        if bundle.vocabulary is None or bundle.description is None:
            raise ArtefactError(
                f"{self.path}: expected a model with its vocabulary and edgebert.json packed in, got none. "
                "Do: export it with edgebert convert."
            )
        self.description: Description = bundle.description
        self.tokenizer = WordPiece(bundle.vocabulary, bundle.description.tokenizer)
        with quiet_native_output():
            self._runner = Interpreter(str(self.path), num_threads=threads).get_signature_runner()
            self._names = tuple(name for name in INPUT_NAMES if name in self._runner.get_input_details())
            ((self._output_name, self._output_details),) = self._runner.get_output_details().items()
            # The delegate announces itself with the first answer.
            self.answer(self.encode(""))

    @property
    def longest(self) -> int:
        return self.description.length or self.description.maximum_length

    def encode(self, text: str, second_text: str | None = None) -> Encoded:
        return self.tokenizer.encode(text, second_text, length=self.longest)

    def answer(self, encoded: Encoded) -> np.ndarray:
        """Probabilities [C], a score [1] or an embedding [W], float32 whatever the file hands over."""
        width = self.description.length or len(encoded.input_ids)
        inputs = {}
        for name in self._names:
            inputs[name] = np.zeros((1, width), np.int32)
            inputs[name][0, : len(encoded.input_ids)] = getattr(encoded, name)
        return self._in_float(self._runner(**inputs)[self._output_name][0])

    def _in_float(self, output: np.ndarray) -> np.ndarray:
        """An integer output's numbers stand for (number - zero point) * scale."""
        if not np.issubdtype(output.dtype, np.integer):
            return output
        scale, zero_point = self._output_details["quantization"]
        return (output.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)

    def answer_all(self, texts: Sequence[TextPair], report: Report = silent) -> np.ndarray:
        """The answers in the texts' order: [N, C]. Texts of one length follow each other, which saves resizing."""
        encoded = [self.encode(*pair) for pair in texts]
        order = sorted(range(len(encoded)), key=lambda number: len(encoded[number].input_ids))
        answers: list[np.ndarray] = [np.empty(0)] * len(encoded)
        for done, number in enumerate(order, 1):
            answers[number] = self.answer(encoded[number])
            report(Progress(f"score {self.path.name}", done, len(order)))
        return np.stack(answers)
