"""The parts of a Hugging Face tokenizer.json that make it a BERT WordPiece, and refusals of all that is not."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgebert.errors import TokenizerError

_NORMALIZER_SWITCHES = {
    "lowercase": "lowercase",
    "strip_accents": "strip_accents",
    "handle_chinese_chars": "split_cjk",
    "clean_text": "clean_text",
}
_OTHER_CHECKPOINT = (
    "Do: choose a BERT-family checkpoint with a WordPiece vocab.txt; SentencePiece and BPE run in none of the clients."
)


@dataclass(frozen=True, slots=True)
class TokenizerFile:
    """What a tokenizer.json says, under our names."""

    vocabulary: tuple[str, ...]
    stated: Mapping[str, object]  # fields of TokenizerSettings
    added_tokens: tuple[str, ...]


def read_tokenizer_json(path: Path) -> TokenizerFile:
    content = read_json_object(path)
    model = _object(content, "model", path)
    # Files of 2020 name no type; only WordPiece has a limit for words.
    kind = model.get("type") or ("WordPiece" if "max_input_chars_per_word" in model else None)
    if kind != "WordPiece":
        raise TokenizerError(f"{path}: expected a WordPiece model, got {kind!r}. {_OTHER_CHECKPOINT}")
    normalizer = _object(content, "normalizer", path)
    pre_tokenizer = _object(content, "pre_tokenizer", path)
    for part, wanted in ((normalizer, "BertNormalizer"), (pre_tokenizer, "BertPreTokenizer")):
        if part.get("type") != wanted:
            raise TokenizerError(f"{path}: expected {wanted}, got {part.get('type')!r}. {_OTHER_CHECKPOINT}")
    classify, separate = _frame(_object(content, "post_processor", path), path)
    stated = {ours: normalizer[theirs] for theirs, ours in _NORMALIZER_SWITCHES.items() if theirs in normalizer}
    stated |= {"classify_token": classify, "separate_token": separate}
    for theirs, ours in (
        ("unk_token", "unknown_token"),
        ("continuing_subword_prefix", "continuation_prefix"),
        ("max_input_chars_per_word", "max_word_characters"),
    ):
        if theirs in model:
            stated[ours] = model[theirs]
    return TokenizerFile(_vocabulary(model.get("vocab"), path), stated, _added_tokens(content, path))


def read_json_object(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise TokenizerError(
            f"{path}: expected a file that can be read, got '{error.strerror}'. Do: check its permissions."
        ) from error
    except (ValueError, RecursionError) as error:  # ValueError: not JSON or not UTF-8
        raise TokenizerError(
            f"{path}: expected JSON, got '{error}'. Do: take the file as the checkpoint's authors published it."
        ) from error
    if not isinstance(content, dict):
        raise TokenizerError(
            f"{path}: expected a JSON object, got {type(content).__name__}. "
            "Do: take the file as the checkpoint's authors published it."
        )
    return content


def token_text(token: object, *, subject: str) -> str:
    """A token is written as a text, or as an object with its `content`."""
    text = token.get("content") if isinstance(token, dict) else token
    if not isinstance(text, str) or not text:
        raise TokenizerError(f"{subject}: expected a token, got {token!r}. Do: write its text.")
    return text


def _vocabulary(vocab: object, path: Path) -> tuple[str, ...]:
    if not isinstance(vocab, dict):
        raise TokenizerError(
            f"{path}: expected model.vocab to map pieces to ids, got {type(vocab).__name__}. {_OTHER_CHECKPOINT}"
        )
    pieces: list[str | None] = [None] * len(vocab)
    for piece, number in vocab.items():
        if type(number) is not int or not 0 <= number < len(pieces) or pieces[number] is not None:
            raise TokenizerError(
                f"{path}: expected the {len(vocab):,} ids from 0 to {len(vocab) - 1:,}, each once, got {number!r} for "
                f"{piece!r}. Do: restore the published file."
            )
        pieces[number] = piece
    return tuple(piece for piece in pieces if piece is not None)


def _frame(processor: Mapping[str, object], path: Path) -> tuple[str, str]:
    """The tokens before and after a text, from a post-processor that frames texts and pairs as BERT does."""
    if processor.get("type") == "BertProcessing":
        pair = [processor.get("cls"), processor.get("sep")]
        if all(isinstance(token, list) and token for token in pair):
            return token_text(pair[0][0], subject=f"{path}: cls"), token_text(pair[1][0], subject=f"{path}: sep")
    single = _template(processor.get("single"))
    if len(single) == 3:
        classify, separate = single[0][1], single[2][1]
        text = [("SpecialToken", classify, 0), ("Sequence", "A", 0), ("SpecialToken", separate, 0)]
        second = [("Sequence", "B", 1), ("SpecialToken", separate, 1)]
        if single == text and _template(processor.get("pair")) == text + second:
            return token_text(classify, subject=str(path)), token_text(separate, subject=str(path))
    raise TokenizerError(
        f"{path}: expected a post_processor that frames texts as [CLS] A [SEP] B [SEP] with segments 0 and 1, got a "
        f"{processor.get('type')!r} that does not. Do: choose a BERT-family checkpoint; clients frame texts so."
    )


def _template(steps: object) -> list[tuple[str, object, object]]:
    """TemplateProcessing's steps as (kind, id, segment)."""
    found = []
    for step in steps if isinstance(steps, list) else []:
        for kind, details in step.items() if isinstance(step, dict) else []:
            if isinstance(details, dict):
                found.append((kind, details.get("id"), details.get("type_id")))
    return found


def _added_tokens(content: Mapping[str, object], path: Path) -> tuple[str, ...]:
    tokens = content.get("added_tokens") or []
    if not isinstance(tokens, list):
        raise TokenizerError(f"{path}: expected added_tokens to be a list, got {tokens!r}. Do: restore the file.")
    for token in tokens:
        if isinstance(token, dict) and (token.get("normalized") or token.get("single_word")):
            raise TokenizerError(
                f"{path}: expected special tokens that are matched as they are written, got {token.get('content')!r} "
                "with normalized or single_word. Do: set both to false, if the checkpoint was trained so."
            )
    return tuple(token_text(token, subject=f"{path}: added_tokens") for token in tokens)


def _object(content: Mapping[str, object], name: str, path: Path) -> Mapping[str, object]:
    value = content.get(name)
    if not isinstance(value, dict):
        raise TokenizerError(f"{path}: expected {name} to be an object, got {value!r}. {_OTHER_CHECKPOINT}")
    return value
