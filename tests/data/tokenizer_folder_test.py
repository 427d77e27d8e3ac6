"""Checkpoint folders as transformers reads them, and one line of advice for each folder that cannot be used."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models

from edgebert.data.wordpiece import TokenizerSettings, WordPiece
from edgebert.errors import TokenizerError
from tests.data.house_form import assert_house_form
from tests.data.wordpiece_reference import encodable, reference_tokenizer
from tests.data.wordpiece_texts import WRITTEN

UNCASED = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##b", "c", "!", "\u0301", "é"]
CASED = [*UNCASED, "A", "É", "The"]
BERT_CLASS = {"tokenizer_class": "BertTokenizer"}


def refusal(folder: Path) -> str:
    with pytest.raises(TokenizerError) as caught:
        WordPiece.from_folder(folder)
    assert_house_form(str(caught.value))
    return str(caught.value)


def write_vocab(folder: Path, vocabulary: list[str]) -> None:
    (folder / "vocab.txt").write_bytes("".join(f"{piece}\n" for piece in vocabulary).encode())


def write_json(folder: Path, name: str, content: object) -> None:
    (folder / name).write_text(json.dumps(content))


def write_tokenizer_json(folder: Path, vocabulary: list[str], settings: TokenizerSettings) -> dict:
    content = json.loads(reference_tokenizer(vocabulary, settings).to_str())
    write_json(folder, "tokenizer.json", content)
    return content


def change(folder: Path, edit: Callable[[dict], object]) -> None:
    content = json.loads((folder / "tokenizer.json").read_bytes())
    edit(content)
    write_json(folder, "tokenizer.json", content)


# What is understood


@pytest.mark.parametrize("without", [None, "vocab.txt", "tokenizer.json", "tokenizer_config.json"])
def test_published_checkpoint(minilm_folder: Path, tmp_path: Path, without: str | None) -> None:
    for name in ("vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        if name != without:
            shutil.copy(minilm_folder / name, tmp_path)
    tokenizer = WordPiece.from_folder(tmp_path)
    assert tokenizer.settings == TokenizerSettings()
    assert len(tokenizer.vocabulary) == 30_522
    assert tokenizer.vocabulary[2026] == "my"


@pytest.mark.parametrize(
    "settings",
    [
        TokenizerSettings(),
        TokenizerSettings(lowercase=False),
        TokenizerSettings(strip_accents=False, split_cjk=False),
        TokenizerSettings(lowercase=False, strip_accents=True, clean_text=False, max_word_characters=2),
    ],
    ids=str,
)
def test_tokenizer_json_alone(tmp_path: Path, settings: TokenizerSettings) -> None:
    write_tokenizer_json(tmp_path, CASED, settings)
    tokenizer = WordPiece.from_folder(tmp_path)
    assert tokenizer.vocabulary == tuple(CASED)
    assert tokenizer.settings == settings
    reference = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    for text in [*WRITTEN, "abc É e\u0301 The THE中a"]:
        assert list(tokenizer.encode(text, length=5000).input_ids) == reference.encode(encodable(text)).ids


@pytest.mark.parametrize(
    ("vocabulary", "config"),
    [
        (UNCASED, None),
        (UNCASED, BERT_CLASS),
        (UNCASED, {"do_lower_case": True, "strip_accents": None, "tokenize_chinese_chars": True}),
        (CASED, {"do_lower_case": False}),
        (CASED, {"do_lower_case": False, "strip_accents": True, "tokenizer_class": "DistilBertTokenizerFast"}),
        (CASED, {"do_lower_case": True, "strip_accents": False, "tokenize_chinese_chars": False}),
        (UNCASED, {"split_special_tokens": True}),
    ],
)
def test_vocab_txt_as_transformers_reads_it(tmp_path: Path, vocabulary: list[str], config: dict | None) -> None:
    from transformers import BertTokenizerFast

    write_vocab(tmp_path, vocabulary)
    if config is not None:
        write_json(tmp_path, "tokenizer_config.json", config)
    ours, theirs = WordPiece.from_folder(tmp_path), BertTokenizerFast.from_pretrained(tmp_path)
    for text in [*WRITTEN, "ab É e\u0301 The THE中a"]:
        assert list(ours.encode(text, length=5000).input_ids) == theirs(encodable(text))["input_ids"], text
        expected = theirs(encodable(text), "a c", truncation="longest_first", max_length=9)
        encoded = ours.encode(text, "a c", length=9)
        assert list(encoded.input_ids) == expected["input_ids"]
        assert list(encoded.segment_ids) == expected["token_type_ids"]


def test_renamed_special_tokens(tmp_path: Path) -> None:
    names = {"unk_token": "<unk>", "cls_token": {"content": "<s>"}, "sep_token": "</s>", "pad_token": "<pad>"}
    write_vocab(tmp_path, ["<s>", "</s>", "<pad>", "<unk>", "a"])
    write_json(tmp_path, "special_tokens_map.json", names)
    assert WordPiece.from_folder(tmp_path).encode("a b <unk>", length=9).input_ids == (0, 4, 3, 3, 1)


def test_bert_processing_of_old_files(tmp_path: Path) -> None:
    write_tokenizer_json(tmp_path, UNCASED, TokenizerSettings())
    change(
        tmp_path,
        lambda c: c.update(post_processor={"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}),
    )
    change(tmp_path, lambda c: c["model"].pop("type"))
    reference = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert list(WordPiece.from_folder(tmp_path).encode("a", "c", length=9).input_ids) == reference.encode("a", "c").ids


def test_windows_line_ends(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_bytes("\r\n".join(UNCASED).encode())
    assert WordPiece.from_folder(tmp_path).vocabulary == tuple(UNCASED)


def test_line_separators_inside_a_vocabulary_are_pieces(tmp_path: Path) -> None:
    write_vocab(tmp_path, [*UNCASED, "\x85", "\u2028", "d"])
    assert WordPiece.from_folder(tmp_path).vocabulary[-3:] == ("\x85", "\u2028", "d")


# What is refused


def test_no_folder(tmp_path: Path) -> None:
    assert "expected a checkpoint's folder, got none" in refusal(tmp_path / "missing")


def test_no_vocabulary(tmp_path: Path) -> None:
    assert "expected vocab.txt or tokenizer.json, got neither" in refusal(tmp_path)
    (tmp_path / "spiece.model").write_bytes(b"")
    assert "got SentencePiece's spiece.model" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "got 0 pieces without [UNK] [CLS] [SEP] [PAD]"),
        ("\n".join([*UNCASED[:3], "", "a"]).encode(), "vocab.txt, line 4: expected a piece, got an empty line"),
        ("\n".join([*UNCASED, "a"]).encode(), "vocab.txt, line 12: expected a piece that is not there yet, got 'a'"),
        ("\n".join(UNCASED).encode() + b"\n\n", "line 12: expected a piece, got an empty line"),
        ("\n".join(UNCASED[1:]).encode(), "without [PAD]"),
        ("\n".join(UNCASED).encode("utf-16"), "expected UTF-8, got byte 0xff at offset 0"),
        (b"[PAD]\n\xe9\n", "expected UTF-8, got byte 0xe9 at offset 6"),
        ("\n".join(UNCASED).encode("utf-8-sig"), "got a byte order mark"),
        ("\n".join(CASED).encode(), "expected pieces in lower case, as no file says otherwise, got 'A'"),
    ],
)
def test_unusable_vocab_txt(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "vocab.txt").write_bytes(content)
    assert says in refusal(tmp_path)


def test_vocab_txt_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").mkdir()
    assert "vocab.txt: expected a vocabulary that can be read, got 'Is a directory'" in refusal(tmp_path)


def test_vocabularies_that_disagree(tmp_path: Path) -> None:
    write_tokenizer_json(tmp_path, UNCASED, TokenizerSettings())
    write_vocab(tmp_path, [*UNCASED, "more"])
    assert "expected 11 pieces as in tokenizer.json, got 12" in refusal(tmp_path)
    write_vocab(tmp_path, [*UNCASED[:5], "c", "##b", "a", *UNCASED[8:]])
    assert "expected 'a' on line 6 as tokenizer.json has it, got 'c'" in refusal(tmp_path)


@pytest.mark.parametrize(
    "model", [models.BPE({"a": 0}, []), models.Unigram([("a", 0.0)], 0), models.WordLevel({"a": 0}, "a")]
)
def test_other_models(tmp_path: Path, model: models.Model) -> None:
    Tokenizer(model).save(str(tmp_path / "tokenizer.json"))
    says = f"tokenizer.json: expected a WordPiece model, got {type(model).__name__!r}"
    assert says in refusal(tmp_path)


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda c: c.update(normalizer=None), "expected normalizer to be an object, got None"),
        (lambda c: c.update(normalizer={"type": "Lowercase"}), "expected BertNormalizer, got 'Lowercase'"),
        (lambda c: c.update(pre_tokenizer={"type": "Whitespace"}), "expected BertPreTokenizer, got 'Whitespace'"),
        (lambda c: c.update(post_processor=None), "expected post_processor to be an object, got None"),
        (lambda c: c.update(post_processor={"type": "RobertaProcessing"}), "got a 'RobertaProcessing' that does not"),
        (lambda c: c["post_processor"]["pair"].insert(3, c["post_processor"]["pair"][2]), "got a 'TemplateProcessing'"),
        (lambda c: c["post_processor"]["single"].reverse(), "got a 'TemplateProcessing' that does not"),
        (lambda c: c["model"]["vocab"].update(a=77), "expected the 11 ids from 0 to 10, each once, got 77 for 'a'"),
        (lambda c: c["model"]["vocab"].update(a=0), "each once, got 0 for 'a'"),
        (lambda c: c["model"].update(vocab=["a"]), "expected model.vocab to map pieces to ids, got list"),
        (lambda c: c["model"].update(max_input_chars_per_word="many"), "max_word_characters: expected a whole number"),
        (lambda c: c["model"].update(unk_token="<unk>"), "got 11 pieces without <unk>"),
        (lambda c: c["normalizer"].update(lowercase="yes"), "lowercase: expected true or false, got 'yes'"),
        (lambda c: c["added_tokens"].append({"id": 11, "content": "[NEW]"}), "expected no added tokens but"),
        (lambda c: c["added_tokens"][0].update(normalized=True), "matched as they are written, got '[PAD]'"),
        (lambda c: c.update(added_tokens={"a": 1}), "expected added_tokens to be a list"),
    ],
)
def test_unusable_tokenizer_json(tmp_path: Path, edit: Callable[[dict], object], says: str) -> None:
    write_tokenizer_json(tmp_path, UNCASED, TokenizerSettings())
    change(tmp_path, edit)
    assert says in refusal(tmp_path)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"do_lower_case": False}, "expected do_lower_case to be True as in tokenizer.json, got False"),
        ({"strip_accents": False}, "expected strip_accents to be True as in tokenizer.json, got False"),
        ({"unk_token": "[PAD]"}, "expected unk_token to be '[UNK]' as in tokenizer.json, got '[PAD]'"),
        ({"tokenize_chinese_chars": 1}, "tokenize_chinese_chars: expected true, false or null, got 1"),
        ({"pad_token": ["[PAD]"]}, "pad_token: expected a token, got ['[PAD]']"),
        ({"pad_token": "<pad>"}, "without <pad>"),
        (
            {"additional_special_tokens": ["<q>"]},
            "expected no added tokens but [UNK] [CLS] [SEP] [PAD] [MASK], got '<q>'",
        ),
        ({"added_tokens_decoder": {"11": {"content": "x\ny"}}}, r"got 'x\ny'"),
        ({"extra_special_tokens": 7}, "expected extra_special_tokens to hold tokens, got 7"),
    ],
)
def test_unusable_tokenizer_config(tmp_path: Path, config: dict, says: str) -> None:
    write_tokenizer_json(tmp_path, UNCASED, TokenizerSettings())
    write_json(tmp_path, "tokenizer_config.json", config)
    assert says in refusal(tmp_path)


def test_added_tokens_beside_a_vocab_txt(tmp_path: Path) -> None:
    write_vocab(tmp_path, UNCASED)
    write_json(tmp_path, "added_tokens.json", {"<new>": 11})
    assert "got '<new>'" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["BertJapaneseTokenizer", "BertweetTokenizer", "MPNetTokenizerFast", 3])
def test_vocab_txt_of_another_kind(tmp_path: Path, name: object) -> None:
    write_vocab(tmp_path, UNCASED)
    write_json(tmp_path, "tokenizer_config.json", {"tokenizer_class": name})
    assert f"got {name!r}. Do: add the checkpoint's tokenizer.json" in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"null", b"[" * 100_000, b'{"model": 1}'])
def test_files_that_are_no_json_objects(tmp_path: Path, content: bytes) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json", "added_tokens.json"):
        folder = tmp_path / name.removesuffix(".json")
        folder.mkdir()
        write_vocab(folder, UNCASED)
        (folder / name).write_bytes(content)
        if name == "tokenizer_config.json" and content == b'{"model": 1}':
            assert WordPiece.from_folder(folder).vocabulary == tuple(UNCASED)  # a key that is not ours
        else:
            assert name.removesuffix(".json") in refusal(folder)


def test_damaged_tokenizer_json_is_read_or_refused(tmp_path: Path) -> None:
    """Anything in the place of any value: a tokenizer or one line, never another exception."""
    whole = write_tokenizer_json(tmp_path, UNCASED, TokenizerSettings())
    choose = random.Random(5)

    def places(value: object) -> list[tuple[object, object]]:
        if isinstance(value, dict | list):
            keys = list(value) if isinstance(value, dict) else list(range(len(value)))
            return [(value, key) for key in keys] + [place for key in keys for place in places(value[key])]
        return []

    refused = 0
    for _ in range(500):
        content = json.loads(json.dumps(whole))
        container, key = choose.choice(places(content))
        container[key] = choose.choice([None, True, -1, 10**30, 0.5, "", "[SEP]", [], {}, [[]], {"id": []}, [None]])
        write_json(tmp_path, "tokenizer.json", content)
        try:
            WordPiece.from_folder(tmp_path)
        except TokenizerError as error:
            assert_house_form(str(error))
            refused += 1
    assert 150 < refused < 500
