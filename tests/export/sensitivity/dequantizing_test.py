"""Stored integers as numbers, on values that were worked out by hand, and as LiteRT itself reads them."""

import numpy as np
import pytest

from edgebert.export.flatbuffer import read_model
from edgebert.export.model import Quantization
from edgebert.export.precisions import quantize
from edgebert.export.sensitivity.dequantizing import dequantized, dequantized_constant, rounded
from tests.export.quantization.cases import EMBEDDER, float_graph
from tests.export.sensitivity.subjects import watching


def quantization(scales: list[float], zero_points: list[int], axis: int = 0) -> Quantization:
    return Quantization(np.array(scales, np.float32), np.array(zero_points, np.int64), axis, block_size=0)


def test_one_scale_with_a_zero_point() -> None:
    how = quantization([0.5], [3])
    np.testing.assert_array_equal(dequantized(np.array([-128, 3, 4], np.int8), how), [-65.5, 0.0, 0.5])
    # 0.3 is nearest to 0.5, and 100 is cut at (127 - 3) / 2.
    np.testing.assert_array_equal(rounded(np.array([0.3, 100.0, -1.0]), how, "int8"), [0.5, 62.0, -1.0])


def test_a_scale_a_channel_along_either_axis() -> None:
    stored = np.array([[1, 2], [3, 4]], np.int8)
    np.testing.assert_array_equal(dequantized(stored, quantization([1, 10], [0, 0], axis=0)), [[1, 2], [30, 40]])
    np.testing.assert_array_equal(dequantized(stored, quantization([1, 10], [0, 1], axis=1)), [[1, 10], [3, 30]])


@pytest.mark.parametrize(("dtype", "highest"), [("int4", 7), ("int8", 127), ("int16", 32767)])
def test_each_type_is_cut_where_it_ends(dtype: str, highest: int) -> None:
    assert rounded(np.array([1e9]), quantization([1.0], [0]), dtype) == [highest]


@pytest.mark.parametrize("scheme", ["dynamic", "int4-embedding", "int4-embedding-rows", "float16"])
def test_tables_are_what_the_interpreter_looks_up(scheme: str) -> None:
    """The look-up returns rows that LiteRT dequantised itself."""
    content = quantize(float_graph(head=EMBEDDER), scheme)
    model = read_model(content)
    graph = model.subgraphs[0]
    interpreter = watching(content)
    ids = np.array([[2, 7, 30, 3]], np.int32)
    interpreter.get_signature_runner()(input_ids=ids, input_mask=ids * 0 + 1, segment_ids=ids * 0)
    look_ups = [each for each in graph.operators if each.name == "EMBEDDING_LOOKUP"]
    makers = {index: each for each in graph.operators for index in each.outputs}
    assert len(look_ups) == 2
    for look_up in look_ups:
        # float16 tables are unpacked by an operator before.
        table = look_up.inputs[1] if look_up.inputs[1] not in makers else makers[look_up.inputs[1]].inputs[0]
        rows = interpreter.get_tensor(look_up.inputs[0])
        expected = dequantized_constant(model, graph, graph.tensors[table])[rows]
        np.testing.assert_allclose(interpreter.get_tensor(look_up.outputs[0]), expected, rtol=1e-6, atol=1e-7)
