"""What clients say when they cannot, in words that say what to do."""

import re

from edgebert.export.clients.registry import TASK_LIBRARY, Client
from edgebert.export.generations import GENERATIONS
from edgebert.export.runtime_versions import FIRST_RUNTIMES
from edgebert.export.versions import Runtime, first_runtime

# Held to the client itself by tests/export/clients_real_test.py.
TASK_LIBRARY_RUNTIME = next(each.runtime for each in GENERATIONS if each.name == TASK_LIBRARY.name)
_VERSION = re.compile(r"Didn't find op for builtin opcode '(\w+)' version '(\d+)'")
_EXPLANATIONS = (
    (
        re.compile(r"Select TensorFlow op|Flex\w+|unresolved custom op: (\w+)", re.IGNORECASE),
        "the file has an operation outside TFLite's builtins, which no client brings along; export it without",
    ),
    (
        re.compile(r"index out of bounds", re.IGNORECASE),
        "the text has more tokens than the encoder has positions, and clients cut nothing where the length is dynamic; "
        "shorten the text, or export with a fixed length",
    ),
    (
        re.compile(r"No metadata or input process unit found|require TFLite Model Metadata"),
        "the file has no metadata that names a tokenizer; pack it with edgebert convert",
    ),
    (
        re.compile(r"No associated file with name: (\S+)"),
        "the file's metadata names a packed file that is not there; export it again",
    ),
    (
        re.compile(r"Expected output tensor at index \d+ to have type .*found INT8"),
        "this client reads no answers of int8; convert without --integer-output",
    ),
    (
        re.compile(r"not a valid Flatbuffer|model identifier"),
        "the file is damaged or no .tflite; export or copy it again",
    ),
    (re.compile(r"surrogates not allowed"), "the text has a lone surrogate, which is no Unicode text"),
    (
        re.compile(r"(lib\w*GL\w*\.so[.\d]*): cannot open shared object"),
        "this machine lacks a graphics library that the client links even for text (Debian: libegl1 and libgles2)",
    ),
)


def explain(client: Client, message: str, log: str = "") -> str:
    """One line: what it means if the message is known, and the message itself."""
    said = _last_reason(message)
    if found := _VERSION.search(message):
        return _explain_version(client, *found.groups())
    for pattern, meaning in _EXPLANATIONS:
        if pattern.search(message) or pattern.search(log):
            return f"{meaning} ('{said}')"
    return f"'{said}'"


def highest_version(operator: str, runtime: Runtime) -> int:
    """The newest version of an operator that a runtime has; 0 if it has none."""
    versions = range(1, len(FIRST_RUNTIMES.get(operator, "").split()) + 1)
    known = ((version, first_runtime(operator, version)) for version in versions)
    return max((version for version, first in known if first is not None and first <= runtime), default=0)


def _explain_version(client: Client, operator: str, version: str) -> str:
    if client != TASK_LIBRARY:
        return f"this runtime knows only older versions of {operator} than the file's {version}; use a newer runtime"
    known = highest_version(operator, TASK_LIBRARY_RUNTIME)
    limit = f"{operator} up to version {known}" if known else f"no {operator}"
    return (
        f"this runtime is from 2023 and knows {limit}, the file has version {version}; "
        "export with --compatible-with task-library"
    )


def _last_reason(message: str) -> str:
    """MediaPipe wraps a reason in the names of the graph's nodes; the last `failed:` is followed by the reason."""
    lines = " ".join(message.split())
    return lines.rsplit(" failed: ", 1)[-1].strip()
