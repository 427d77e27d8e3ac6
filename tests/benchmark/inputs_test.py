"""What is fed is what the tokenizer says, at the length that was asked for, and never an id the model does not have."""

from pathlib import Path

import pytest

from edgebert.benchmark.binding import Binding
from edgebert.benchmark.inputs import choose_length, feed_synthetic, feed_texts
from edgebert.benchmark.texts import builtin_texts, read_texts
from edgebert.benchmark.tokenizing import Tokenizer, find_tokenizer
from edgebert.data.wordpiece import WordPiece
from edgebert.errors import DataError, EdgebertError, MeasurementError, TokenizerError
from tests.benchmark.conftest import DYNAMIC, VOCABULARY

ROLES = ("input_ids", "input_mask", "segment_ids")
PIECES = tuple(VOCABULARY.read_text().splitlines())


def binding(**changes: object) -> Binding:
    values = {"roles": ROLES, "tensors": (0, 1, 2), "dtypes": ("int32",) * 3, "length": None, "vocabulary_rows": 82}
    return Binding(**{**values, **changes})


@pytest.fixture
def tokenizer() -> Tokenizer:
    return find_tokenizer(DYNAMIC, VOCABULARY)


def write(tmp_path: Path, content: str | bytes, name: str = "texts.txt") -> str:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def test_each_text_at_its_own_length_is_what_wordpiece_says(tokenizer: Tokenizer) -> None:
    texts = builtin_texts(20)
    feed = feed_texts("m.tflite", binding(), texts, tokenizer, None)
    wordpiece = WordPiece(PIECES)
    for (text, _), token_input in zip(texts.texts, feed.inputs, strict=True):
        assert token_input.rows["input_ids"] == wordpiece.encode(text, length=512).input_ids
        assert token_input.length == token_input.token_count
    assert len(set(feed.description.lengths)) > 10


def test_a_fixed_length_is_padded_and_cut(tokenizer: Tokenizer) -> None:
    feed = feed_texts("m.tflite", binding(), builtin_texts(20), tokenizer, 32)
    assert set(feed.description.lengths) == {32}
    assert min(feed.description.token_counts) < 32 == max(feed.description.token_counts)
    for token_input in feed.inputs:
        padding = 32 - token_input.token_count
        assert token_input.rows["input_mask"] == (1,) * token_input.token_count + (0,) * padding
        assert token_input.rows["input_ids"][token_input.token_count :] == (PIECES.index("[PAD]"),) * padding


def test_pairs_have_two_segments(tmp_path: Path, tokenizer: Tokenizer) -> None:
    source = write(tmp_path, "sentence1\tsentence2\nis it\tit is\n", "pairs.tsv")
    texts = read_texts(source, 20)
    assert texts.texts == (("is it", "it is"),)
    rows = feed_texts("m.tflite", binding(), texts, tokenizer, None).inputs[0].rows
    assert set(rows["segment_ids"]) == {0, 1}


def test_the_hash_tells_inputs_apart_and_nothing_else(tmp_path: Path, tokenizer: Tokenizer) -> None:
    def sha256(content: str, length: int | None = None, **changes: object) -> str:
        return feed_texts(
            "m.tflite", binding(**changes), read_texts(write(tmp_path, content), 20), tokenizer, length
        ).description.sha256

    assert sha256("one\ntwo\n") == sha256("one\ntwo")
    different = [sha256("one\ntwo"), sha256("two\none"), sha256("one two"), sha256("one\ntwo", 32)]
    different.append(sha256("one\ntwo", roles=ROLES[:2]))
    assert len(set(different)) == len(different)


def test_the_hash_tells_where_one_input_ends() -> None:
    """The same random ids, as two inputs of three tokens and as one of six."""
    alone = binding(roles=("input_ids",))
    two, one = feed_synthetic("m.tflite", alone, 3, 2, seed=0), feed_synthetic("m.tflite", alone, 6, 1, seed=0)
    assert sum((each.rows["input_ids"] for each in two.inputs), ()) == one.inputs[0].rows["input_ids"]
    assert two.description.sha256 != one.description.sha256


def test_texts_are_taken_evenly(tmp_path: Path) -> None:
    source = write(tmp_path, "".join(f"text {number}\n" for number in range(100)))
    chosen = read_texts(source, 4)
    assert [text for text, _ in chosen.texts] == ["text 0", "text 25", "text 50", "text 75"]
    assert (chosen.available, len(read_texts(source, 1000).texts)) == (100, 100)


def test_the_packed_tokenizer_knows_its_positions(packed: Path) -> None:
    found = find_tokenizer(packed, None)
    assert (found.wordpiece.vocabulary, found.positions) == (PIECES, 40)
    longest = feed_texts("m.tflite", binding(), builtin_texts(20), found, None)
    assert max(longest.description.lengths) == 40
    with pytest.raises(MeasurementError, match=r"m\.tflite: expected --length of at most 40"):
        feed_texts("m.tflite", binding(), builtin_texts(20), found, 41)


def test_an_id_that_the_table_does_not_have_is_refused(tokenizer: Tokenizer) -> None:
    highest = max(
        max(row.rows["input_ids"]) for row in feed_texts("m", binding(), builtin_texts(20), tokenizer, None).inputs
    )
    feed_texts("m.tflite", binding(vocabulary_rows=highest + 1), builtin_texts(20), tokenizer, None)
    with pytest.raises(TokenizerError, match=f"expected token ids below {highest} .* got {highest} from"):
        feed_texts("m.tflite", binding(vocabulary_rows=highest), builtin_texts(20), tokenizer, None)


def test_synthetic_ids_are_valid_labelled_and_repeat_with_the_seed() -> None:
    feed = feed_synthetic("m.tflite", binding(vocabulary_rows=7), 64, 20, seed=0)
    ids = {number for token_input in feed.inputs for number in token_input.rows["input_ids"]}
    assert ids == set(range(7))
    assert (feed.description.kind, feed.description.tokenizer) == ("synthetic", None)
    assert "synthetic" in feed.description.source
    assert feed == feed_synthetic("m.tflite", binding(vocabulary_rows=7), 64, 20, seed=0)
    assert feed != feed_synthetic("m.tflite", binding(vocabulary_rows=7), 64, 20, seed=1)


def test_a_fixed_model_has_one_length() -> None:
    assert choose_length("m.tflite", binding(length=32), None) == 32
    assert choose_length("m.tflite", binding(length=32), 32) == 32
    assert (choose_length("m.tflite", binding(), 16), choose_length("m.tflite", binding(), None)) == (16, None)
    with pytest.raises(MeasurementError, match=r"expected --length 32 \(its inputs are fixed\), got 16"):
        choose_length("m.tflite", binding(length=32), 16)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("", "expected at least one text, got none"),
        ("one\n\ntwo\n", "expected a text, got an empty one as text 2"),
        ("one\n   \n", "expected a text, got an empty one as text 2"),
        (b"na\xefve\n", "expected UTF-8, got byte 0xef at 2"),
    ],
)
def test_texts_that_cannot_be_measured_are_refused(tmp_path: Path, content: str | bytes, named: str) -> None:
    with pytest.raises(DataError) as caught:
        read_texts(write(tmp_path, content), 20)
    assert named in str(caught.value)


def test_byte_order_marks_and_windows_lines_are_no_text(tmp_path: Path) -> None:
    assert read_texts(write(tmp_path, b"\xef\xbb\xbfone\r\ntwo\r\n"), 20).texts == (("one", None), ("two", None))


def test_a_model_without_a_vocabulary_names_both_ways_out() -> None:
    with pytest.raises(EdgebertError, match=r"--vocab vocab\.txt.*--synthetic-ids"):
        find_tokenizer(DYNAMIC, None)
    with pytest.raises(MeasurementError, match="Do: add --length 32"):
        feed_synthetic("m.tflite", binding(), None, 20, seed=0)
    with pytest.raises(MeasurementError, match="expected an embedding table"):
        feed_synthetic("m.tflite", binding(vocabulary_rows=None), 32, 20, seed=0)
