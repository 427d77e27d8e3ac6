"""The part of LiteRT's C API that the profiler needs, called in the library that the ai-edge-litert wheel brings.

The wheel's Python interface has no profiler. The C API is young and changes between releases, and a wrong argument
crashes the process, so only releases whose headers were read are used.
"""

import ctypes
import importlib.util
from importlib import metadata
from pathlib import Path

KNOWN_RELEASES = ("2.3",)
LARGEST_RANK = 8

_PACKAGE, _FILE = "ai_edge_litert", "libLiteRt.so"
_FUNCTIONS = (
    *("LiteRtCreateEnvironment", "LiteRtCreateModelFromFile", "LiteRtCreateOptions", "LiteRtCreateOpaqueOptions"),
    *("LiteRtAddOpaqueOptions", "LiteRtSetOptionsHardwareAccelerators", "LiteRtCreateCompiledModel"),
    *("LiteRtGetModelSignature", "LiteRtGetNumModelSignatures", "LiteRtGetNumSignatureInputs"),
    *("LiteRtGetNumSignatureOutputs", "LiteRtGetSignatureInputName", "LiteRtGetSignatureInputTensorByIndex"),
    *("LiteRtGetSignatureOutputTensorByIndex", "LiteRtGetRankedTensorType", "LiteRtCompiledModelResizeInputTensor"),
    *("LiteRtGetCompiledModelOutputTensorLayouts", "LiteRtGetCompiledModelInputBufferRequirements"),
    *("LiteRtGetCompiledModelOutputBufferRequirements", "LiteRtCreateManagedTensorBufferFromRequirements"),
    *("LiteRtLockTensorBuffer", "LiteRtUnlockTensorBuffer", "LiteRtDestroyTensorBuffer", "LiteRtRunCompiledModel"),
    *("LiteRtCompiledModelGetProfiler", "LiteRtResetProfiler", "LiteRtStartProfiler", "LiteRtStopProfiler"),
    *("LiteRtGetNumProfilerEvents", "LiteRtGetProfilerEvents"),
)


class Layout(ctypes.Structure):
    _fields_ = (
        ("rank", ctypes.c_uint, 7),
        ("has_strides", ctypes.c_uint, 1),
        ("dimensions", ctypes.c_int32 * LARGEST_RANK),
        ("strides", ctypes.c_uint32 * LARGEST_RANK),
    )


class TensorType(ctypes.Structure):
    _fields_ = (("element", ctypes.c_int), ("layout", Layout))


class Event(ctypes.Structure):
    """One line of the profiler. The first of `metadata` is the operator's number, the second its graph's."""

    _fields_ = (
        ("tag", ctypes.c_char_p),
        ("kind", ctypes.c_int),
        ("start_us", ctypes.c_uint64),
        ("elapsed_us", ctypes.c_uint64),
        ("memory", ctypes.c_size_t * 6),
        ("metadata", ctypes.c_uint64 * 2),
        ("source", ctypes.c_int),
    )


def missing_profiler() -> str | None:
    """What there is instead of a profiler that can be called; None where there is one."""
    try:
        version = metadata.version("ai-edge-litert")
    except metadata.PackageNotFoundError:
        return "no ai-edge-litert"
    if ".".join(version.split(".")[:2]) not in KNOWN_RELEASES:
        return f"ai-edge-litert {version}"
    path = _library_path()
    if path is None:
        return f"an ai-edge-litert {version} without {_FILE}"
    library = ctypes.CDLL(str(path))
    absent = [name for name in _FUNCTIONS if not hasattr(library, name)]
    return f"an ai-edge-litert {version} without {', '.join(absent)}" if absent else None


class Library:
    """`call` raises a RuntimeError with the function's name and status where it fails."""

    def __init__(self) -> None:
        path = _library_path()
        if path is None:
            raise RuntimeError(f"expected {_FILE} in {_PACKAGE}, got none")
        self._functions = ctypes.CDLL(str(path))
        self._c = ctypes.CDLL(None)
        self._c.strdup.restype = ctypes.c_void_p

    def call(self, name: str, *arguments: object) -> None:
        status = getattr(self._functions, name)(*arguments)
        if status:
            raise RuntimeError(f"{name} answered with status {status}")

    def create(self, name: str, *arguments: object) -> ctypes.c_void_p:
        """Call what hands its result over through its last argument."""
        made = ctypes.c_void_p()
        self.call(name, *arguments, ctypes.byref(made))
        return made

    def destroy(self, name: str, what: ctypes.c_void_p) -> None:
        """Call what has no status."""
        getattr(self._functions, name)(what)

    def count(self, name: str, *arguments: object) -> int:
        number = ctypes.c_size_t()
        self.call(name, *arguments, ctypes.byref(number))
        return number.value

    def options(self, identifier: bytes, toml: bytes) -> ctypes.c_void_p:
        """Options of one part of the runtime, as the text that LiteRT passes on; it frees the copy."""
        content = ctypes.c_void_p(self._c.strdup(toml))
        free = ctypes.cast(self._c.free, ctypes.c_void_p)
        return self.create("LiteRtCreateOpaqueOptions", identifier, content, free)


def _library_path() -> Path | None:
    package = importlib.util.find_spec(_PACKAGE)
    if package is None or package.origin is None:
        return None
    path = Path(package.origin).parent / _FILE
    return path if path.is_file() else None
