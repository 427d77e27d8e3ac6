"""The tokenizer of a Hugging Face folder: vocab.txt or tokenizer.json, with tokenizer_config.json where there is one.

What the two vocabularies or the two descriptions of the settings say differently is an error, not a choice: one of them
is wrong, and ids that are a little wrong cost accuracy without a sign.
"""

import re
from collections.abc import Mapping
from os import PathLike
from pathlib import Path

from edgebert.data.tokenizer_json import TokenizerFile, read_json_object, read_tokenizer_json, token_text
from edgebert.data.tokenizer_settings import TokenizerSettings
from edgebert.data.vocabulary import check_vocabulary, read_vocabulary
from edgebert.errors import TokenizerError

# tokenizer_config.json's names for our settings.
_SWITCHES = {"do_lower_case": "lowercase", "strip_accents": "strip_accents", "tokenize_chinese_chars": "split_cjk"}
_TOKENS = {
    "unk_token": "unknown_token",
    "cls_token": "classify_token",
    "sep_token": "separate_token",
    "pad_token": "pad_token",
    "mask_token": "mask_token",
}
# Classes that read a vocab.txt as BERT's does, with or without `Fast`. Others cut words by other rules first
# (BertJapanese), keep another model in a file of that name (Bertweet, Phobert) or frame a pair otherwise (MPNet).
_BERT_CLASSES = ("BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "MobileBertTokenizer")
_SENTENCEPIECE_FILES = ("spiece.model", "sentencepiece.bpe.model", "spm.model")


def read_tokenizer_folder(folder: str | PathLike) -> tuple[tuple[str, ...], TokenizerSettings]:
    """The vocabulary and the settings of a checkpoint's folder."""
    folder = Path(folder)
    if not folder.is_dir():
        raise TokenizerError(f"{folder}: expected a checkpoint's folder, got none. Do: check the path.")
    config = _read_config(folder)
    source, file = _read_vocabulary_file(folder, config)
    configured = _configured(config, folder / "tokenizer_config.json")
    settings = _settings(file.stated, configured, source)
    check_vocabulary(file.vocabulary, settings, subject=str(source))
    if "lowercase" not in file.stated.keys() | configured.keys():
        _check_case(file.vocabulary, source)
    _check_added_tokens([*file.added_tokens, *_added_tokens(folder, config)], settings, folder)
    return file.vocabulary, settings


def _read_config(folder: Path) -> dict[str, object]:
    """tokenizer_config.json over special_tokens_map.json, where older checkpoints name their tokens."""
    config: dict[str, object] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        if (folder / name).exists():
            config |= read_json_object(folder / name)
    return config


def _read_vocabulary_file(folder: Path, config: Mapping[str, object]) -> tuple[Path, TokenizerFile]:
    text_file, json_file = folder / "vocab.txt", folder / "tokenizer.json"
    if json_file.exists():
        file = read_tokenizer_json(json_file)
        if text_file.exists():
            _check_same(read_vocabulary(text_file), file.vocabulary, text_file)
        return json_file, file
    if text_file.exists():
        _check_class(config, folder)
        return text_file, TokenizerFile(read_vocabulary(text_file), stated={}, added_tokens=())
    there = next((name for name in _SENTENCEPIECE_FILES if (folder / name).exists()), None)
    got = f"SentencePiece's {there}" if there else "neither"
    raise TokenizerError(
        f"{folder}: expected vocab.txt or tokenizer.json, got {got}. "
        "Do: choose a checkpoint with a WordPiece vocabulary; SentencePiece runs in none of the clients."
    )


def _configured(config: Mapping[str, object], path: Path) -> dict[str, object]:
    """What tokenizer_config.json says, under our names."""
    found: dict[str, object] = {}
    for theirs, ours in _SWITCHES.items():
        if config.get(theirs) is None:
            continue  # null leaves it to the default, as if it were not there
        if not isinstance(config[theirs], bool):
            raise TokenizerError(
                f"{path}: {theirs}: expected true, false or null, got {config[theirs]!r}. Do: correct it."
            )
        found[ours] = config[theirs]
    for theirs, ours in _TOKENS.items():
        if config.get(theirs) is not None:
            found[ours] = token_text(config[theirs], subject=f"{path}: {theirs}")
    if config.get("split_special_tokens") is True:
        found["special_tokens_in_text"] = False
    return found


def _settings(stated: Mapping[str, object], configured: Mapping[str, object], source: Path) -> TokenizerSettings:
    """Both descriptions together; where both speak they must mean the same."""
    config_name = str(source.with_name("tokenizer_config.json"))
    by_file = TokenizerSettings.from_json(stated, subject=str(source))
    settings = TokenizerSettings.from_json({**stated, **configured}, subject=config_name)
    for theirs, ours in {**_SWITCHES, **_TOKENS}.items():
        meaning = "strips_accents" if ours == "strip_accents" else ours  # null means what lowercase says
        expected, got = getattr(by_file, meaning), getattr(settings, meaning)
        if ours in stated and ours in configured and got != expected:
            raise TokenizerError(
                f"{config_name}: expected {theirs} to be {expected!r} as in {source.name}, got {got!r}. "
                "Do: correct the file that is wrong about the checkpoint's training."
            )
    return settings


def _check_same(from_text: tuple[str, ...], from_json: tuple[str, ...], text_file: Path) -> None:
    if from_text == from_json:
        return
    both = min(len(from_text), len(from_json))
    differs = next((number for number in range(both) if from_text[number] != from_json[number]), None)
    if differs is None:
        expected, got = f"{len(from_json):,} pieces as in tokenizer.json", f"{len(from_text):,}"
    else:
        expected = f"{from_json[differs]!r} on line {differs + 1:,} as tokenizer.json has it"
        got = repr(from_text[differs])
    raise TokenizerError(
        f"{text_file}: expected {expected}, got {got}. Do: remove the file that does not belong to the checkpoint."
    )


def _check_class(config: Mapping[str, object], folder: Path) -> None:
    name = config.get("tokenizer_class")
    if name is not None and str(name).removesuffix("Fast") not in _BERT_CLASSES:
        raise TokenizerError(
            f"{folder / 'tokenizer_config.json'}: expected a tokenizer_class that reads vocab.txt as BERT does "
            f"({', '.join(_BERT_CLASSES)}), got {name!r}. Do: add the checkpoint's tokenizer.json, which says how its "
            "text is cut, or choose another checkpoint."
        )


def _check_case(vocabulary: tuple[str, ...], source: Path) -> None:
    """Where nothing says whether a checkpoint is cased, BERT's default would put its capital pieces out of reach."""
    capital = next((piece for piece in vocabulary if re.match("(##)?[A-Z]", piece)), None)
    if capital is not None:
        raise TokenizerError(
            f"{source}: expected pieces in lower case, as no file says otherwise, got {capital!r}. "
            'Do: write {"do_lower_case": false} into tokenizer_config.json, or true if it was trained so.'
        )


def _added_tokens(folder: Path, config: Mapping[str, object]) -> list[str]:
    """Tokens that were added after training, wherever a version of transformers has written them."""
    path = folder / "added_tokens.json"
    added = list(read_json_object(path)) if path.exists() else []
    for name in ("added_tokens_decoder", "additional_special_tokens", "extra_special_tokens"):
        tokens = config.get(name) or []
        listed = list(tokens.values()) if isinstance(tokens, dict) else tokens
        if not isinstance(listed, list):
            raise TokenizerError(f"{folder}: expected {name} to hold tokens, got {tokens!r}. Do: correct or remove it.")
        added += [token_text(token, subject=f"{folder}: {name}") for token in listed]
    return added


def _check_added_tokens(added: list[str], settings: TokenizerSettings, folder: Path) -> None:
    foreign = sorted(set(added) - set(settings.special_tokens))
    if foreign:
        raise TokenizerError(
            f"{folder}: expected no added tokens but {' '.join(settings.special_tokens)}, got "
            f"{', '.join(map(repr, foreign))}. Do: choose a checkpoint without them; they are matched before text is "
            "cut, which no client does."
        )
