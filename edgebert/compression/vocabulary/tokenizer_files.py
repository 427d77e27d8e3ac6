"""A checkpoint's tokenizer files with fewer pieces: the settings are as they were, every id is the new one.

Only the files that are there are written; that they agree was checked when the tokenizer was read.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgebert.compression.vocabulary.choosing import kept_pieces
from edgebert.data.tokenizer_json import read_json_object
from edgebert.models.checkpoint_writing import TOKENIZER_FILES

Content = dict[str, Any]
# config.json names some special tokens by their ids.
ID_FIELD_END = "_token_id"


class Renumbered:
    """The old vocabulary's ids and pieces in terms of the new one."""

    def __init__(self, vocabulary: Sequence[str], ids: Sequence[int]):
        self.vocabulary = kept_pieces(vocabulary, ids)
        self._by_piece = {piece: number for number, piece in enumerate(self.vocabulary)}
        self._by_id = {old: new for new, old in enumerate(ids)}

    def piece(self, piece: str) -> int | None:
        return self._by_piece.get(piece)

    def id(self, old: int) -> int | None:
        return self._by_id.get(old)


def renumbered_files(folder: Path, new: Renumbered) -> dict[str, bytes]:
    """Content by name, of the tokenizer files in `folder`."""
    return {name: _renumbered(folder / name, new) for name in TOKENIZER_FILES if (folder / name).is_file()}


def renumbered_config(raw: Mapping[str, Any], new: Renumbered) -> Content:
    """config.json's fields; what names a piece that is gone names none."""
    changed = {name: new.id(value) for name, value in raw.items() if name.endswith(ID_FIELD_END) and type(value) is int}
    return {**raw, **changed}


def _renumbered(path: Path, new: Renumbered) -> bytes:
    if path.name == "vocab.txt":
        return "".join(f"{piece}\n" for piece in new.vocabulary).encode()
    if path.name not in _CHANGES:
        # Names tokens, and no ids.
        return path.read_bytes()
    content = _CHANGES[path.name](read_json_object(path), new)
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def _tokenizer_json(content: Content, new: Renumbered) -> Content:
    model = {**content["model"], "vocab": {piece: number for number, piece in enumerate(new.vocabulary)}}
    changed = {"model": model, "post_processor": _post_processor(content["post_processor"], new)}
    if content.get("added_tokens"):
        found = [(token, new.piece(token["content"])) for token in content["added_tokens"]]
        changed["added_tokens"] = [{**token, "id": number} for token, number in found if number is not None]
    if content.get("padding"):
        changed["padding"] = {**content["padding"], "pad_id": new.piece(content["padding"]["pad_token"])}
    return {**content, **changed}


def _post_processor(processor: Content, new: Renumbered) -> Content:
    if processor["type"] == "BertProcessing":
        return {**processor, **{name: [processor[name][0], new.piece(processor[name][0])] for name in ("sep", "cls")}}
    tokens = {
        name: {**token, "ids": [new.piece(piece) for piece in token["tokens"]]}
        for name, token in processor["special_tokens"].items()
    }
    return {**processor, "special_tokens": tokens}


def _tokenizer_config(content: Content, new: Renumbered) -> Content:
    decoder = content.get("added_tokens_decoder")
    if not decoder:
        return content
    # In the order of the new ids, as transformers writes it.
    tokens = [token for token in decoder.values() if new.piece(token["content"]) is not None]
    numbered = sorted((new.piece(token["content"]), number) for number, token in enumerate(tokens))
    return {**content, "added_tokens_decoder": {str(new_id): tokens[number] for new_id, number in numbered}}


def _added_tokens(content: Content, new: Renumbered) -> Content:
    return {token: new.piece(token) for token in content if new.piece(token) is not None}


_CHANGES: dict[str, Callable[[Content, Renumbered], Content]] = {
    "tokenizer.json": _tokenizer_json,
    "tokenizer_config.json": _tokenizer_config,
    "added_tokens.json": _added_tokens,
}
