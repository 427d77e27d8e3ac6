"""A Keras model to .tflite bytes in floating point: the graph that every precision starts from."""

from edgebert.config import EncoderConfig
from edgebert.data.batches import INPUT_NAMES
from edgebert.errors import ArtefactError
from edgebert.keras import tf, traced
from edgebert.models.task import TaskModel
from edgebert.quiet import quiet_native_output

# The signature's name, and what its one output is called for each kind of head.
SIGNATURE = "serving_default"
OUTPUT_NAMES = {"classification": "probabilities", "regression": "score", "embedding": "embedding"}


def convert_graph(model: TaskModel, length: int | None, float16: bool = False) -> bytes:
    """Convert for a batch of one and `length` tokens, or with None for whatever length each text has.

    A batch of one is fixed: with an open batch XNNPACK takes nothing.
    """
    check_length(model.config, length)
    module = tf.Module()
    # The converter finds variables through a plain module; handed the Keras model it loses the signature.
    module.variables_of_model = model.variables
    module.function = traced(
        lambda input_ids, input_mask, segment_ids: _answer(model, input_ids, input_mask, segment_ids),
        input_signature=[tf.TensorSpec([1, length], tf.int32, name=name) for name in INPUT_NAMES],
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.function.get_concrete_function()], module)
    # Builtins alone: a Flex op fails here instead of on a phone.
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if float16:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    with quiet_native_output():
        return converter.convert()


def check_length(config: EncoderConfig, length: int | None) -> None:
    if length is not None and not 2 <= length <= config.maximum_length:
        raise ArtefactError(
            f"length: expected 2 to {config.maximum_length} (the encoder's positions), got {length}. "
            "Do: choose a length in this range, or none for a dynamic one."
        )


def _answer(model: TaskModel, input_ids, input_mask, segment_ids) -> dict[str, tf.Tensor]:
    inputs = dict(zip(INPUT_NAMES, (input_ids, input_mask, segment_ids), strict=True))
    if input_ids.shape[1] is None:
        # A client that does not truncate would read past the position table.
        inputs = {name: tokens[:, : model.config.maximum_length] for name, tokens in inputs.items()}
    output = model(inputs, training=False)
    kind = model.head_config.kind
    return {OUTPUT_NAMES[kind]: tf.nn.softmax(output) if kind == "classification" else output}
