"""Files of plain text to sequences: which documents they hold, what is held out, what is refused."""

import gzip
import io
import lzma
import string
import tarfile
from pathlib import Path

import pytest

from edgebert.data.plain_text import PlainText, read_plain_text
from edgebert.data.tokenizer_settings import TokenizerSettings
from edgebert.data.wordpiece import Encoded, WordPiece
from edgebert.errors import DataError
from tests.conftest import GOLDEN
from tests.data.house_form import assert_house_form
from tests.data.published import published

VOCABULARY = tuple((GOLDEN / "tiny_vocab.txt").read_text().split("\n")[:-1])
TOKENIZER = WordPiece(VOCABULARY)


def written(folder: Path, content: str | bytes, name: str = "corpus.txt") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def sequences(text: PlainText) -> list[tuple[int, ...]]:
    return [one.input_ids for data in (text.train, text.dev) for one in data.encoded]


def texts(*encoded: Encoded) -> list[str]:
    return [" ".join(VOCABULARY[number] for number in one.input_ids[1:-1]) for one in encoded]


def test_short_lines_are_packed_and_long_ones_cut(tmp_path):
    path = written(tmp_path, "a b\nc\n\n\nd\ne f g h i j\nk\n")
    found = read_plain_text(path, TOKENIZER, 6)
    assert sorted(texts(*found.train.encoded, *found.dev.encoded)) == ["a b c", "d", "e f g h", "i j k"]
    assert all(set(one.input_mask) == {1} and set(one.segment_ids) == {0} for one in found.train.encoded)
    assert found.train.targets is None and found.dev.targets is None
    assert found.tokens == 11 + 2 * 4 and found.files == (str(path),)


def test_what_is_held_out_is_in_no_other_part_and_depends_on_content_alone(tmp_path):
    many = [f"{first} {second}" for first in string.ascii_lowercase for second in string.ascii_lowercase]
    first = written(tmp_path, "\n\n".join(many), "first.txt")
    turned = written(tmp_path, "\n\n".join([*reversed(many), *many]), "turned.txt")
    once, twice = (read_plain_text(path, TOKENIZER, 8, dev_sequences=50) for path in (first, turned))
    assert (len(once.dev), len(once.train)) == (50, 626) and (len(twice.dev), len(twice.train)) == (100, 1252)
    assert set(twice.dev.encoded) == set(once.dev.encoded)
    assert not set(twice.dev.encoded) & set(twice.train.encoded)
    assert len(read_plain_text(first, TOKENIZER, 8).dev) == 67


def test_a_limit_takes_from_every_file_alike(tmp_path):
    for name, letters in (("a.txt", "abcdefgh"), ("b.txt", "st"), ("c/d.txt", "uvwxyz")):
        written(tmp_path, "\n\n".join(letters), name)
    limited = read_plain_text(tmp_path, TOKENIZER, 8, most_sequences=10)
    assert sorted(texts(*limited.train.encoded, *limited.dev.encoded)) == sorted("abcdstuvwx")
    assert [Path(file).name for file in limited.files] == ["a.txt", "b.txt", "d.txt"]
    assert len(sequences(read_plain_text(tmp_path, TOKENIZER, 8, most_sequences=100))) == 16


def test_packed_files_and_line_ends_read_alike(tmp_path):
    plain = "good film\n\nnot good\n\norder the film\n"
    content = plain.encode()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:xz") as packing:
        for name, part in (("README.md", b"no text"), ("corpus/b.txt", content[11:]), ("corpus/a.txt", content[:11])):
            member = tarfile.TarInfo(name)
            member.size = len(part)
            packing.addfile(member, io.BytesIO(part))
    forms = {
        "plain.txt": content,
        "packed.txt.gz": gzip.compress(content),
        "packed.txt.xz": lzma.compress(content),
        "packed.tar.xz": archive.getvalue(),
        "marked.txt": b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n"),
        "old.txt": content.replace(b"\n", b"\r"),
    }
    read = {name: read_plain_text(written(tmp_path, form, name), TOKENIZER) for name, form in forms.items()}
    assert len(sequences(read["plain.txt"])) == 3
    for name, text in read.items():
        assert (text.train, text.dev) == (read["plain.txt"].train, read["plain.txt"].dev), name
    assert [file.rpartition("packed.tar.xz/")[2] for file in read["packed.tar.xz"].files] == [
        "corpus/a.txt",
        "corpus/b.txt",
    ]


@pytest.mark.parametrize("reads_special_tokens", [True, False])
def test_wikitexts_marks_are_read_as_what_they_stand_for(tmp_path, reads_special_tokens):
    tokenizer = WordPiece(VOCABULARY, TokenizerSettings(special_tokens_in_text=reads_special_tokens))
    raw = (
        " \n = The film = \n \n a <unk> 1 @,@ 2 , 3 @.@ 4 good @-@ film . \n \n = = = Order = = = \n \n b = c \n"
        " \n = And order = \n \n d \n"
    )
    found = read_plain_text(written(tmp_path, raw), tokenizer, 64)
    assert sorted(texts(*found.train.encoded, *found.dev.encoded)) == [
        "a [UNK] 1 , 2 , 3 . 4 good - film . b [UNK] c",
        "d",
    ]


def test_a_tables_first_column_is_text(tmp_path):
    found = read_plain_text(written(tmp_path, "a b .\ta . <::::> b .\nc d .\tc .\n", "split.tsv"), TOKENIZER)
    assert sorted(texts(*found.train.encoded, *found.dev.encoded)) == ["a b .", "c d ."]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "got nothing in it"),
        (b"\xef\xbb\xbf", "got nothing in it"),
        (b" \n\t\r\n\n", "got only blank lines"),
        (b"good film\n\n\xff\x00", "got the byte 0xff at offset 11"),
        (b"\xef\xbb\xbfgood \xe9", "got the byte 0xe9 at offset 8"),
        (b"\x7fELF\x02\x01\x01\x00\x00", "got the byte 0x00 at offset 7"),
        ("good film".encode("utf-16"), "UTF-16"),
        (b"good film\n\ngood film\n", "two different sequences or more, one to train on and one held out, got 1"),
    ],
)
def test_what_is_no_corpus_is_refused(tmp_path, content, expected):
    path = written(tmp_path, content)
    with pytest.raises(DataError, match=expected) as caught:
        read_plain_text(path, TOKENIZER)
    assert_house_form(str(caught.value))
    assert str(caught.value).startswith((str(path), "corpus: "))


@pytest.mark.parametrize("name", ["none.txt", "empty", "cut.txt.gz", "cut.txt.xz", "cut.tar.xz", "bare.tar"])
def test_what_cannot_be_opened_is_named(tmp_path, name):
    (tmp_path / "empty").mkdir()
    written(tmp_path, gzip.compress(b"good film")[:-9], "cut.txt.gz")
    written(tmp_path, lzma.compress(b"good film")[:-9], "cut.txt.xz")
    written(tmp_path, lzma.compress(b"good film")[:-9], "cut.tar.xz")
    with tarfile.open(tmp_path / "bare.tar", "w"):
        pass
    with pytest.raises(DataError, match=name) as caught:
        read_plain_text(tmp_path / name, TOKENIZER)
    assert_house_form(str(caught.value))


def test_no_file_and_impossible_numbers_are_refused(tmp_path):
    path = written(tmp_path, "a\n\nb")
    for sources, arguments in (
        ([], {}),
        (path, {"length": 2}),
        (path, {"most_sequences": 0}),
        (path, {"dev_sequences": 0}),
    ):
        with pytest.raises(DataError) as caught:
            read_plain_text(sources, TOKENIZER, **arguments)
        assert_house_form(str(caught.value))


def test_the_published_corpora_are_read_whole(minilm_folder):
    tokenizer = WordPiece.from_folder(minilm_folder)
    wikitext = read_plain_text(published("corpus/wikitext2") / "valid.txt", tokenizer)
    pieces = {tokenizer.vocabulary[number] for one in sequences(wikitext) for number in one}
    assert "@" not in pieces and "[UNK]" in pieces
    raw = (published("corpus/wikitext2") / "valid.txt").read_text(encoding="utf-8").replace("<unk>", "[UNK]")
    for mark in "-,.":
        raw = raw.replace(f" @{mark}@ ", mark)
    paragraphs = [line for line in raw.split("\n") if line.strip() and not line.startswith(" = ")]
    assert len(paragraphs) == 1841
    expected = sum(len(tokenizer.encode(line, length=10_000).input_ids) - 2 for line in paragraphs)
    assert wikitext.tokens == expected + 2 * len(sequences(wikitext))
    split = read_plain_text(published("corpus/wiki_split") / "tune.tsv", tokenizer)
    assert len(split.train) + len(split.dev) == 5000
    assert not any("<" in tokenizer.vocabulary[number] for one in sequences(split) for number in one)


@pytest.mark.long
def test_the_published_novels_are_read_whole(minilm_folder):
    archive = published("corpus") / "100_english_novels_corpus.tar.xz"
    novels = read_plain_text(archive, WordPiece.from_folder(minilm_folder))
    assert len(novels.files) == 100 and novels.tokens > 15_000_000
