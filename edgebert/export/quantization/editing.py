"""Changes to a float graph that keep what it computes: constants replaced, multiplications put in between.

On LiteRT's object form of the file. Tensors and operators are named by their numbers in the file as it was opened.
"""

from collections.abc import Sequence

import numpy as np

from edgebert.export.editable import editable_bytes, read_editable


class GraphEditor:
    """The first subgraph open for changes; `content` is the changed file."""

    def __init__(self, content: bytes):
        self._model = read_editable(content)
        self._graph = self._model.subgraphs[0]
        self._operators = tuple(self._graph.operators)

    def content(self) -> bytes:
        return editable_bytes(self._model)

    def scale_constant(self, index: int, factors: np.ndarray, operators: Sequence[int]) -> None:
        """Have these operators read the float32 constant times `factors`, which are broadcast."""
        self.replace_constant(index, self._values(self._graph.tensors[index]) * factors, operators)

    def replace_constant(self, index: int, values: np.ndarray, operators: Sequence[int]) -> None:
        """Have these operators read other numbers of the same shape."""
        tensor = self._graph.tensors[index]
        readers = [self._operators[number] for number in operators]
        others = [each for each in self._graph.operators if index in list(each.inputs) and each not in readers]
        if others or self._shares_its_buffer(tensor):
            self._redirect(readers, index, self.new_constant(values, index))
        else:
            content = values.astype(np.float32).tobytes()
            self._model.buffers[tensor.buffer].data = np.frombuffer(content, np.uint8)

    def multiply_output(self, index: int, factors: np.ndarray) -> None:
        """Let the tensor be its producer's result times `factors` along the last axis."""
        producer = next(each for each in self._graph.operators if index in list(each.outputs))
        unscaled = self._new_tensor_like(index, "unscaled")
        producer.outputs = [unscaled if output == index else output for output in producer.outputs]
        self._insert_multiplication(self._graph.operators.index(producer) + 1, unscaled, factors, index)

    def multiply_input(self, index: int, factors: np.ndarray, operators: Sequence[int]) -> None:
        """Hand those of these operators that read the tensor the tensor times `factors` along the last axis."""
        readers = [self._operators[number] for number in operators if index in list(self._operators[number].inputs)]
        scaled = self._new_tensor_like(index, "scaled")
        self._redirect(readers, index, scaled)
        first = min(self._graph.operators.index(reader) for reader in readers)
        self._insert_multiplication(first, index, factors, scaled)

    def make_gather(self, number: int, table: int, ids: int, target: int) -> None:
        """Let the operator look rows of `table` up, as GATHER, into `target`."""
        from ai_edge_litert import schema_py_generated as schema

        operator = self._operators[number]
        operator.opcodeIndex = self._code(schema, schema.BuiltinOperator.GATHER)
        operator.builtinOptionsType = schema.BuiltinOptions.GatherOptions
        operator.builtinOptions = schema.GatherOptionsT()
        operator.inputs, operator.outputs = [table, ids], [target]

    def remove(self, number: int, read_instead: int | None = None) -> None:
        """Take the operator out; who read its output reads `read_instead`."""
        operator = self._operators[number]
        self._graph.operators.remove(operator)
        if read_instead is not None:
            self._redirect(self._graph.operators, operator.outputs[0], read_instead)

    def _redirect(self, readers: Sequence, old: int, new: int) -> None:
        for operator in readers:
            operator.inputs = [new if entry == old else entry for entry in operator.inputs]

    def _values(self, tensor) -> np.ndarray:
        return np.frombuffer(bytes(self._model.buffers[tensor.buffer].data), np.float32).reshape(list(tensor.shape))

    def _shares_its_buffer(self, tensor) -> bool:
        return sum(each.buffer == tensor.buffer for graph in self._model.subgraphs for each in graph.tensors) > 1

    def _insert_multiplication(self, position: int, source: int, factors: np.ndarray, target: int) -> None:
        from ai_edge_litert import schema_py_generated as schema

        operator = schema.OperatorT()
        operator.opcodeIndex = self._code(schema, schema.BuiltinOperator.MUL)
        operator.builtinOptionsType = schema.BuiltinOptions.MulOptions
        operator.builtinOptions = schema.MulOptionsT()
        operator.inputs, operator.outputs = [source, self.new_constant(factors, target)], [target]
        self._graph.operators.insert(position, operator)

    def _code(self, schema, builtin: int) -> int:
        for number, code in enumerate(self._model.operatorCodes):
            if max(code.builtinCode, code.deprecatedBuiltinCode) == builtin:
                return number
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = builtin
        code.version = 1
        self._model.operatorCodes.append(code)
        return len(self._model.operatorCodes) - 1

    def _new_tensor_like(self, index: int, suffix: str) -> int:
        original = self._graph.tensors[index]
        copied = type(original)()
        vars(copied).update(vars(original))
        # The quantizer knows every tensor by its name.
        copied.name = bytes(original.name) + f"/{suffix}{len(self._graph.tensors)}".encode()
        copied.buffer = 0
        self._graph.tensors.append(copied)
        return len(self._graph.tensors) - 1

    def new_constant(self, values: np.ndarray, index: int) -> int:
        """A float32 constant, named after the tensor that it is made for."""
        from ai_edge_litert import schema_py_generated as schema

        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.astype(np.float32).tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        tensor = schema.TensorT()
        tensor.name = f"balanced/{index}_{len(self._graph.tensors)}".encode()
        tensor.type = schema.TensorType.FLOAT32
        tensor.shape, tensor.hasRank = list(values.shape), True
        tensor.buffer = len(self._model.buffers) - 1
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1
