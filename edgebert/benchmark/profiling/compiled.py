"""One model in LiteRT's compiled model with its profiler on, fed and run. Lives in a worker, which may crash alone."""

import ctypes
import math
import time
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from edgebert.benchmark.profiling.events import RawEvent
from edgebert.benchmark.profiling.library import Event, Layout, Library, TensorType

_ON_CPU = 1
_READ, _WRITE = 0, 1
# The first signature, or what LiteRT makes up for a file without one.
_SIGNATURE = ctypes.c_size_t(0)

Side = Literal["Input", "Output"]
Shapes = tuple[tuple[int, ...], ...]


class CompiledModel:
    def __init__(self, path: str, threads: int) -> None:
        library = self._library = Library()
        options = library.create("LiteRtCreateOptions")
        library.call("LiteRtSetOptionsHardwareAccelerators", options, _ON_CPU)
        for part, toml in (
            (b"runtime_options_string", b"enable_profiling = true\n"),
            (b"xnnpack", b"num_threads = %d\n" % threads),
        ):
            library.call("LiteRtAddOpaqueOptions", options, library.options(part, toml))
        self._environment = library.create("LiteRtCreateEnvironment", 0, None)
        self._model = library.create("LiteRtCreateModelFromFile", self._environment, path.encode())
        self._compiled = library.create("LiteRtCreateCompiledModel", self._environment, self._model, options)
        self._signature = library.create("LiteRtGetModelSignature", self._model, _SIGNATURE)
        self._profiler = library.create("LiteRtCompiledModelGetProfiler", self._compiled)
        self._names = self._input_names()
        self._shapes: Shapes = ()
        self._inputs: list[ctypes.c_void_p] = []
        self._outputs: list[ctypes.c_void_p] = []
        self._layouts: list[Layout] = []

    def run(self, arrays: Mapping[str, np.ndarray]) -> tuple[int, list[RawEvent]]:
        """Wall time of one inference, and what the profiler saw of it. `arrays` by the signature's names."""
        ordered = [arrays[name] for name in self._names]
        self._reshape(tuple(array.shape for array in ordered))
        for buffer, array in zip(self._inputs, ordered, strict=True):
            address = self._lock(buffer, _WRITE)
            ctypes.memmove(address, np.ascontiguousarray(array).ctypes.data, array.nbytes)
            self._library.call("LiteRtUnlockTensorBuffer", buffer)
        inputs, outputs = (_as_array(buffers) for buffers in (self._inputs, self._outputs))
        sides = (ctypes.c_size_t(len(inputs)), inputs, ctypes.c_size_t(len(outputs)), outputs)
        self._library.call("LiteRtResetProfiler", self._profiler)
        self._library.call("LiteRtStartProfiler", self._profiler)
        started = time.perf_counter_ns()
        self._library.call("LiteRtRunCompiledModel", self._compiled, _SIGNATURE, *sides)
        wall_ns = time.perf_counter_ns() - started
        self._library.call("LiteRtStopProfiler", self._profiler)
        return wall_ns, self._events()

    def answers(self) -> list[np.ndarray]:
        """The float32 outputs of the last run, in the signature's order."""
        found = []
        for buffer, layout in zip(self._outputs, self._layouts, strict=True):
            shape = tuple(layout.dimensions[: layout.rank])
            address = self._lock(buffer, _READ)
            values = np.array((ctypes.c_float * math.prod(shape)).from_address(address.value), np.float32)
            self._library.call("LiteRtUnlockTensorBuffer", buffer)
            found.append(values.reshape(shape))
        return found

    def _reshape(self, shapes: Shapes) -> None:
        """Buffers for inputs of these shapes, unless they are what the model has already."""
        if shapes == self._shapes:
            return
        types = [self._tensor_type("Input", position) for position in range(len(shapes))]
        for position, (kind, shape) in enumerate(zip(types, shapes, strict=True)):
            if tuple(kind.layout.dimensions[: kind.layout.rank]) != shape:
                place = (self._compiled, _SIGNATURE, ctypes.c_size_t(position))
                sizes = (ctypes.c_int * len(shape))(*shape)
                self._library.call("LiteRtCompiledModelResizeInputTensor", *place, sizes, ctypes.c_size_t(len(shape)))
                kind.layout.dimensions[: len(shape)] = shape
        for buffer in (*self._inputs, *self._outputs):
            self._library.destroy("LiteRtDestroyTensorBuffer", buffer)
        self._layouts = self._output_layouts()
        self._inputs = [self._buffer("Input", position, kind) for position, kind in enumerate(types)]
        self._outputs = [
            self._buffer("Output", position, self._tensor_type("Output", position, layout))
            for position, layout in enumerate(self._layouts)
        ]
        self._shapes = shapes

    def _buffer(self, side: Side, position: int, kind: TensorType) -> ctypes.c_void_p:
        place = (self._compiled, _SIGNATURE, ctypes.c_size_t(position))
        requirements = self._library.create(f"LiteRtGetCompiledModel{side}BufferRequirements", *place)
        make = "LiteRtCreateManagedTensorBufferFromRequirements"
        return self._library.create(make, self._environment, ctypes.byref(kind), requirements)

    def _tensor_type(self, side: Side, position: int, layout: Layout | None = None) -> TensorType:
        """As the file says it, or with the layout that it has now."""
        place = (self._signature, ctypes.c_size_t(position))
        tensor = self._library.create(f"LiteRtGetSignature{side}TensorByIndex", *place)
        kind = TensorType()
        self._library.call("LiteRtGetRankedTensorType", tensor, ctypes.byref(kind))
        if layout is not None:
            kind.layout = layout
        return kind

    def _output_layouts(self) -> list[Layout]:
        layouts = (Layout * self._library.count("LiteRtGetNumSignatureOutputs", self._signature))()
        place = (self._compiled, _SIGNATURE, ctypes.c_size_t(len(layouts)))
        self._library.call("LiteRtGetCompiledModelOutputTensorLayouts", *place, layouts, ctypes.c_bool(True))
        return list(layouts)

    def _input_names(self) -> tuple[str, ...]:
        names = []
        for position in range(self._library.count("LiteRtGetNumSignatureInputs", self._signature)):
            name = ctypes.c_char_p()
            place = (self._signature, ctypes.c_size_t(position))
            self._library.call("LiteRtGetSignatureInputName", *place, ctypes.byref(name))
            names.append((name.value or b"").decode())
        return tuple(names)

    def _lock(self, buffer: ctypes.c_void_p, mode: int) -> ctypes.c_void_p:
        address = ctypes.c_void_p()
        self._library.call("LiteRtLockTensorBuffer", buffer, ctypes.byref(address), mode)
        return address

    def _events(self) -> list[RawEvent]:
        number = ctypes.c_int()
        self._library.call("LiteRtGetNumProfilerEvents", self._profiler, ctypes.byref(number))
        events = (Event * number.value)()
        self._library.call("LiteRtGetProfilerEvents", self._profiler, number, events)
        return [
            RawEvent((event.tag or b"").decode(), event.kind, event.elapsed_us, *event.metadata) for event in events
        ]


def _as_array(buffers: Sequence[ctypes.c_void_p]) -> ctypes.Array:
    return (ctypes.c_void_p * len(buffers))(*(buffer.value for buffer in buffers))
