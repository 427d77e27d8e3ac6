"""The model card's code: how a file is loaded in Python, and in Kotlin by those clients that were seen to run it."""

from collections.abc import Sequence

from edgebert.report.model import Row

_AGREES = "agrees"
_EXAMPLE = "a text to answer"
# The converter's name for the one way to call a file.
_SIGNATURE = "serving_default"


def python_code(row: Row) -> str:
    """A script; it prints the answer and its score."""
    return f'''\
from edgebert.export.answering import AnsweringModel

model = AnsweringModel({row.path!r})
scores = model.answer(model.encode("{_EXAMPLE}"))  # for a pair: model.encode(first, second)
best = scores.argmax()
labels = model.description.labels
print(labels[best] if labels else "score", float(scores[best]))
'''


def kotlin_parts(row: Row) -> Sequence[str]:
    """Texts and code blocks. Nothing here was compiled; the clients' Python twins ran the file, as the table says."""
    name = _quoted(row.path.rpartition("/")[2])
    if row.clients.get("mediapipe") == _AGREES:
        return _TAKES_TEXT.format("MediaPipe Tasks", _MEDIAPIPE_PACKAGE), _block(_MEDIAPIPE.format(name=name))
    if row.clients.get("task-library") == _AGREES:
        return _TAKES_TEXT.format("TF Lite Task Library", _TASK_LIBRARY_PACKAGE), _block(
            _TASK_LIBRARY.format(name=name)
        )
    code = _LITERT.format(name=name, padded=_padded(row)).replace("SIGNATURE", f'"{_SIGNATURE}"')
    return _TAKES_IDS.format(_LITERT_PACKAGE), _block(code)


_MEDIAPIPE_PACKAGE = "com.google.mediapipe:tasks-text:0.10.+"
_TASK_LIBRARY_PACKAGE = "org.tensorflow:tensorflow-lite-task-text:0.4.4"
_LITERT_PACKAGE = "com.google.ai.edge.litert:litert:1.4.0"
_TAKES_TEXT = (
    "{} takes the text itself (`{}`, the file in `assets`). It lower-cases ASCII and keeps accents: hand it lower case "
    "without accents. The code was not compiled here; the same client's Python package was seen to run the file."
)
_TAKES_IDS = (
    "No client that takes text was seen to run this file. An app tokenizes it itself (WordPiece, with the `vocab.txt` "
    "that is packed in the file as in a zip) and hands LiteRT the ids (`{}`). The code was not compiled here."
)
_MEDIAPIPE = """\
import com.google.mediapipe.tasks.text.textclassifier.TextClassifier

TextClassifier.createFromFile(context, {name}).use {{ classifier ->
    val best = classifier.classify(text).classificationResult().classifications()[0].categories()
        .maxByOrNull {{ it.score() }}!!
    println("${{best.categoryName()}} ${{best.score()}}")
}}
"""

_TASK_LIBRARY = """\
import org.tensorflow.lite.task.text.nlclassifier.BertNLClassifier

BertNLClassifier.createFromFile(context, {name}).use {{ classifier ->
    val best = classifier.classify(text).maxByOrNull {{ it.score }}!!
    println("${{best.label}} ${{best.score}}")
}}
"""

_LITERT = """\
import org.tensorflow.lite.Interpreter

// inputIds, inputMask and segmentIds: IntArrays of one length. [CLS] text [SEP], mask 1 and segment 0 for each{padded}.
Interpreter(File(context.filesDir, {name})).use {{ interpreter ->
    val inputs = mapOf<String, Any>(
        "input_ids" to arrayOf(inputIds), "input_mask" to arrayOf(inputMask), "segment_ids" to arrayOf(segmentIds),
    ).filterKeys {{ it in interpreter.getSignatureInputs(SIGNATURE) }}
    val output = interpreter.getSignatureOutputs(SIGNATURE)[0]
    val scores = arrayOf(FloatArray(interpreter.getOutputTensorFromSignature(output, SIGNATURE).shape()[1]))
    interpreter.runSignature(inputs, mapOf<String, Any>(output to scores), SIGNATURE)
    println(scores[0].withIndex().maxByOrNull {{ it.value }})
}}
"""


def _padded(row: Row) -> str:
    return f", then 0 up to {row.length}" if row.length else ""


def _block(code: str) -> str:
    return f"```kotlin\n{code}```"


def _quoted(name: str) -> str:
    """A Kotlin string, in which a dollar sign is one too."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'
