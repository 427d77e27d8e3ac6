"""Write tests/golden/wordpiece.jsonl and the vocabularies in tests/golden/wordpiece: what every tokenizer must answer.

    python -m tests.golden.make_wordpiece

The ids come from `tokenizers`, never from our own code. The Python tokenizer is held to them, and the phone's will be.
A line is one text or pair:

    {"tokenizer", "text", "second_text" or null, "length", "truncation", "input_ids", "segment_ids"}

`wordpiece/tokenizers.json` says which vocabulary and settings each named tokenizer has. Lone surrogates are written as
`\\udXXX` and mean U+FFFD.
"""

import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from edgebert.data.wordpiece import TokenizerSettings
from edgebert.files import make_folder, write_atomically
from tests.data.wordpiece_reference import encodable, reference_tokenizer, reference_words
from tests.data.wordpiece_texts import POOLS, WRITTEN

GOLDEN = Path(__file__).resolve().parent
FOLDER = GOLDEN / "wordpiece"
SPECIAL = ["[PAD]", "[unused0]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
UNCASED = TokenizerSettings(lowercase=True)
CASED = TokenizerSettings(lowercase=False)
TOKENIZERS = {
    "uncased": ("uncased.txt", UNCASED),
    "cased": ("cased.txt", CASED),
    "uncased_as_clients_do": ("uncased.txt", TokenizerSettings(special_tokens_in_text=False)),
    "lowercase_with_accents": ("cased.txt", TokenizerSettings(lowercase=True, strip_accents=False)),
    "cased_without_accents": ("cased.txt", TokenizerSettings(lowercase=False, strip_accents=True)),
    "cjk_together": ("cased.txt", TokenizerSettings(lowercase=False, split_cjk=False)),
    "not_cleaned": ("uncased.txt", TokenizerSettings(clean_text=False)),
}
LEARNED_PIECES = 700
LONGEST_LEARNED = 12
UNTRUNCATED = 2048


def texts(count: int, seed: int) -> list[str]:
    """Random mixtures of the pools; the same for the same seed."""
    choose = random.Random(seed)
    names = list(POOLS)
    found = []
    for _ in range(count):
        pools = [POOLS[name] for name in choose.sample(names, 3)] + [POOLS["letters"], POOLS["words"], [" "]]
        text = "".join(choose.choice(choose.choice(pools)) for _ in range(choose.randint(1, 24)))
        found.append(re.sub("[\ud800-\udbff]+(?=[\udc00-\udfff])", "", text))  # JSON would read a pair as a character
    return found


def vocabulary(corpus: Iterable[str], settings: TokenizerSettings) -> list[str]:
    """Special tokens, every character of corpus and golden texts both ways, and the corpus's commonest parts of words.

    Every fifth character that is no letter or digit of ASCII is left out, so that unknown words occur too.
    """
    counts = Counter(word for text in corpus for word in reference_words(text, settings))
    nasty = WRITTEN + [string for pool in POOLS.values() for string in pool]
    characters = sorted(
        {c for word in counts for c in word} | {c for t in nasty for w in reference_words(t, settings) for c in w}
    )
    known = [c for index, c in enumerate(characters) if index % 5 or re.match("[0-9A-Za-z]", c)]
    parts: Counter[str] = Counter()
    for word, count in counts.items():
        for start in range(len(word)):
            for end in range(start + 2, min(len(word), start + LONGEST_LEARNED) + 1):
                parts[("##" if start else "") + word[start:end]] += count * (end - start - 1)
    learned = sorted(parts, key=lambda part: (-parts[part], part))[:LEARNED_PIECES]
    return SPECIAL + known + [f"##{c}" for c in known] + learned


def cases() -> Iterator[tuple[str, str, str | None, int, str]]:
    """Tokenizer, text, second text, length, truncation."""
    for name in ("uncased", "cased"):
        for text in WRITTEN + texts(120, seed=1):
            yield name, text, None, UNTRUNCATED, "longest_first"
    for seed, name in enumerate(list(TOKENIZERS)[2:], start=2):
        for text in WRITTEN[::2] + texts(40, seed):
            yield name, text, None, UNTRUNCATED, "longest_first"
    choose = random.Random(99)
    long_texts = WRITTEN + texts(60, seed=98)
    for truncation in ("longest_first", "head", "head_tail"):
        for _ in range(40):
            first, second = choose.choice(long_texts), choose.choice([None, *choose.sample(long_texts, 2)])
            yield choose.choice(["uncased", "cased"]), first, second, choose.randint(3, 40), truncation


def encode(reference, text: str, second: str | None, length: int, truncation: str) -> tuple[list[int], list[int]]:
    """The library's answer; the truncations it does not have are cut out of its untruncated one."""
    if truncation == "longest_first":
        reference.enable_truncation(length, strategy="longest_first")
        encoding = reference.encode(encodable(text), None if second is None else encodable(second))
        return encoding.ids, encoding.type_ids
    reference.no_truncation()
    before, after = reference.encode("").ids
    first_ids = reference.encode(encodable(text), add_special_tokens=False).ids
    second_ids = [] if second is None else reference.encode(encodable(second), add_special_tokens=False).ids
    room = length - (2 if second is None else 3)
    if truncation == "head":
        first_kept = first_ids[:room]
        second_kept = second_ids[: room - len(first_kept)]
    else:
        reference.enable_truncation(length, strategy="longest_first")
        shares = reference.encode(encodable(text), None if second is None else encodable(second)).sequence_ids
        first_kept = head_and_tail(first_ids, shares.count(0))
        second_kept = head_and_tail(second_ids, shares.count(1))
    ids = [before, *first_kept, after]
    segments = [0] * len(ids)
    if second is not None:
        ids += [*second_kept, after]
        segments += [1] * (len(second_kept) + 1)
    return ids, segments


def head_and_tail(ids: list[int], count: int) -> list[int]:
    """128 of 510 from the start, rounded up, the rest from the end (Sun et al. 2019)."""
    if len(ids) <= count:
        return ids
    head = (count * 128 + 509) // 510
    return ids[:head] + ids[len(ids) - count + head :]


def main() -> None:
    make_folder(FOLDER)
    corpus = (FOLDER / "corpus.txt").read_text(encoding="utf-8").splitlines()
    for file, settings in (("uncased.txt", UNCASED), ("cased.txt", CASED)):
        pieces = vocabulary(corpus, settings)
        write_atomically(FOLDER / file, "".join(f"{piece}\n" for piece in pieces).encode())
        print(f"{file}: {len(pieces):,} pieces")
    described = {name: {"vocabulary": file, "settings": own.to_json()} for name, (file, own) in TOKENIZERS.items()}
    write_atomically(FOLDER / "tokenizers.json", (json.dumps(described, indent=2) + "\n").encode())
    references = {
        name: reference_tokenizer((FOLDER / file).read_text(encoding="utf-8").removesuffix("\n").split("\n"), own)
        for name, (file, own) in TOKENIZERS.items()
    }
    lines = []
    for name, text, second, length, truncation in cases():
        ids, segments = encode(references[name], text, second, length, truncation)
        line = {"tokenizer": name, "text": text, "second_text": second, "length": length, "truncation": truncation}
        lines.append(json.dumps(line | {"input_ids": ids, "segment_ids": segments}))
    write_atomically(GOLDEN / "wordpiece.jsonl", "".join(f"{line}\n" for line in lines).encode())
    print(f"wordpiece.jsonl: {len(lines):,} lines")


if __name__ == "__main__":
    main()
