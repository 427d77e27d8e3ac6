"""A file as LiteRT's objects, to be changed and written again."""

from typing import Any

import numpy as np


def read_editable(content: bytes) -> Any:
    """Contents that ai-edge-quantizer keeps behind the graph come inside; the generated reader would lose them."""
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    for buffer in model.buffers:
        # As bytes they would be written one by one: half a minute for the 57 MB of a small float32 model.
        if buffer.data is not None and not isinstance(buffer.data, np.ndarray):
            buffer.data = np.frombuffer(bytes(buffer.data), np.uint8)
    return model


def editable_bytes(model: Any) -> bytes:
    from ai_edge_litert.tools import flatbuffer_utils

    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
