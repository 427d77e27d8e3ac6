"""A checkpoint as ONNX Runtime likes it best: `python -m benchmarks.inference.export_onnx CHECKPOINT FOLDER`.

Writes FOLDER/float32.onnx, its subgraphs fused by ONNX Runtime's own optimizer for BERT, and FOLDER/int8.onnx, that
with its weights quantised and activations quantised as they come.
"""

import sys
import tempfile
import warnings
from pathlib import Path

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.optimizer import optimize_model
from transformers import AutoModelForSequenceClassification


def main() -> None:
    checkpoint, folder = map(Path, sys.argv[1:])
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint, attn_implementation="eager").eval()
    ids = torch.ones((1, 16), dtype=torch.long)
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = Path(scratch) / "plain.onnx"
        torch.onnx.export(
            model,
            (ids, ids),
            plain,
            input_names=["input_ids", "attention_mask"],
            output_names=["logits"],
            dynamic_axes={"input_ids": {1: "tokens"}, "attention_mask": {1: "tokens"}},
            dynamo=False,
        )
        config = model.config
        fused = optimize_model(
            str(plain), "bert", num_heads=config.num_attention_heads, hidden_size=config.hidden_size, opt_level=1
        )
        fused.save_model_to_file(str(folder / "float32.onnx"))
        print(fused.get_fused_operator_statistics())
    quantize_dynamic(
        folder / "float32.onnx",
        folder / "int8.onnx",
        weight_type=QuantType.QInt8,
        per_channel=True,
        # Shapes cannot be inferred behind the fused operators.
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )


if __name__ == "__main__":
    main()
