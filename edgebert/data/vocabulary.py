"""A WordPiece vocabulary: one piece a line, the line's number is its id."""

from collections.abc import Sequence
from pathlib import Path

from edgebert.data.tokenizer_settings import TokenizerSettings
from edgebert.errors import TokenizerError


def read_vocabulary(path: Path) -> tuple[str, ...]:
    """The lines of a vocab.txt; Windows line ends are accepted. The pieces are not checked yet."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise TokenizerError(
            f"{path}: expected a vocabulary that can be read, got '{error.strerror}'. "
            "Do: name the checkpoint's vocab.txt."
        ) from error
    except UnicodeDecodeError as error:
        raise TokenizerError(
            f"{path}: expected UTF-8, got byte 0x{error.object[error.start]:02x} at offset {error.start:,}. "
            "Do: take the file as the checkpoint's authors published it, or save it as UTF-8."
        ) from error
    if text.startswith("\ufeff"):
        raise TokenizerError(
            f"{path}: expected a piece at the start, got a byte order mark. Do: save it as UTF-8 without one."
        )
    # Not `splitlines`: published vocabularies hold U+0085 and U+2028 as pieces.
    return tuple(text.removesuffix("\n").split("\n")) if text else ()


def check_vocabulary(vocabulary: Sequence[str], settings: TokenizerSettings, *, subject: str) -> None:
    """Refuse a vocabulary whose ids would not be what its checkpoint was trained with."""
    first_line: dict[str, int] = {}
    for line, piece in enumerate(vocabulary, start=1):
        if not piece:
            raise TokenizerError(
                f"{subject}, line {line:,}: expected a piece, got an empty line. "
                "Do: restore the published file; a line that is gone or added moves every id after it."
            )
        if piece in first_line:
            raise TokenizerError(
                f"{subject}, line {line:,}: expected a piece that is not there yet, got {piece!r} as on line "
                f"{first_line[piece]:,}. Do: restore the published file."
            )
        first_line[piece] = line
    missing = [token for token in settings.required_tokens if token not in first_line]
    if missing:
        raise TokenizerError(
            f"{subject}: expected the special tokens {' '.join(settings.required_tokens)}, got {len(vocabulary):,} "
            f"pieces without {' '.join(missing)}. Do: name the tokens in tokenizer_config.json, or restore the "
            "published file."
        )
