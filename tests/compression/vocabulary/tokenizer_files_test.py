"""The trimmed tokenizer's files as other libraries read them."""

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.processors import BertProcessing

from edgebert.compression.vocabulary.tokenizer_files import Renumbered, renumbered_config, renumbered_files
from edgebert.data.wordpiece import TokenizerSettings, WordPiece
from tests.data.wordpiece_reference import reference_tokenizer

# As published vocabularies are: the special tokens are neither first nor together.
PIECES = [
    "[PAD]",
    "[unused0]",
    "[UNK]",
    "the",
    "[CLS]",
    "[SEP]",
    "[unused1]",
    "[MASK]",
    "c",
    "##a",
    "cat",
    "##t",
    "dog",
]
KEPT = (0, 2, 3, 4, 5, 7, 8, 9, 11)
TEXTS = ("the cat", "the dog, [MASK] cat", "ca the")
CONFIGURED = {
    "added_tokens_decoder": {
        str(PIECES.index(token)): {"content": token, "special": True}
        for token in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    },
    "do_lower_case": True,
    "model_max_length": 512,
}


def folder_with(path: Path, *, bert_processing: bool = False) -> Path:
    """Every file that a tokenizer can have."""
    reference = reference_tokenizer(PIECES, TokenizerSettings())
    if bert_processing:
        reference.post_processor = BertProcessing(("[SEP]", 5), ("[CLS]", 4))
    reference.enable_padding(pad_id=PIECES.index("[PAD]"), pad_token="[PAD]")
    reference.save(str(path / "tokenizer.json"))
    (path / "vocab.txt").write_text("\n".join(PIECES) + "\n")
    (path / "tokenizer_config.json").write_text(json.dumps(CONFIGURED))
    (path / "special_tokens_map.json").write_text(json.dumps({"mask_token": "[MASK]"}))
    (path / "added_tokens.json").write_text(json.dumps({"[MASK]": 7}))
    return path


def rewritten(source: Path, target: Path) -> Path:
    target.mkdir()
    for name, content in renumbered_files(source, Renumbered(PIECES, KEPT)).items():
        (target / name).write_bytes(content)
    return target


@pytest.mark.parametrize("bert_processing", [True, False])
def test_the_reference_reads_the_same_pieces_under_the_new_ids(tmp_path: Path, bert_processing: bool) -> None:
    folder = rewritten(folder_with(tmp_path, bert_processing=bert_processing), tmp_path / "new")
    pieces = [PIECES[number] for number in KEPT]
    reference, ours = Tokenizer.from_file(str(folder / "tokenizer.json")), WordPiece.from_folder(folder)
    assert ours.vocabulary == tuple(pieces)
    for text in TEXTS:
        encoded = reference.encode(text, text)
        assert tuple(encoded.ids) == ours.encode(text, text, length=100).input_ids
        assert [pieces[number] for number in encoded.ids] == encoded.tokens
    short, long = reference.encode_batch(["the", "the cat"])
    assert len(short.ids) == len(long.ids) and pieces[short.ids[-1]] == "[PAD]"


def test_transformers_reads_the_folder_as_we_do(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    folder = rewritten(folder_with(tmp_path), tmp_path / "new")
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
    theirs, ours = AutoTokenizer.from_pretrained(str(folder)), WordPiece.from_folder(folder)
    assert len(theirs) == len(KEPT)
    for text in TEXTS:
        assert tuple(theirs(text)["input_ids"]) == ours.encode(text, length=100).input_ids
    assert theirs.mask_token_id == ours.vocabulary.index("[MASK]")


def test_every_id_is_the_new_one_and_all_else_is_as_it_was(tmp_path: Path) -> None:
    folder = rewritten(folder_with(tmp_path), tmp_path / "new")
    configured = json.loads((folder / "tokenizer_config.json").read_text())
    assert {number: token["content"] for number, token in configured["added_tokens_decoder"].items()} == {
        "0": "[PAD]", "1": "[UNK]", "3": "[CLS]", "4": "[SEP]", "5": "[MASK]",
    }  # fmt: skip
    assert {**configured, "added_tokens_decoder": None} == {**CONFIGURED, "added_tokens_decoder": None}
    assert json.loads((folder / "added_tokens.json").read_text()) == {"[MASK]": 5}
    assert (folder / "special_tokens_map.json").read_bytes() == (tmp_path / "special_tokens_map.json").read_bytes()


def test_only_files_that_are_there_are_written(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("\r\n".join(PIECES) + "\r\n")
    files = renumbered_files(tmp_path, Renumbered(PIECES, KEPT))
    assert files == {"vocab.txt": b"[PAD]\n[UNK]\nthe\n[CLS]\n[SEP]\n[MASK]\nc\n##a\n##t\n"}


def test_config_names_tokens_by_their_new_ids() -> None:
    raw = {"pad_token_id": 0, "sep_token_id": 5, "bos_token_id": None, "eos_token_id": 12, "vocab_size": 13}
    new = renumbered_config(raw, Renumbered(PIECES, KEPT))
    assert new == {**raw, "pad_token_id": 0, "sep_token_id": 4, "eos_token_id": None}
