"""How a checkpoint's text is cut: the settings that travel with its vocabulary."""

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from edgebert.errors import TokenizerError


@dataclass(frozen=True, slots=True)
class TokenizerSettings:
    """BERT's settings under our names; the defaults are those of the uncased English checkpoints.

    Attributes:
        lowercase: lower each character.
        strip_accents: remove accents; None does as `lowercase` does.
        split_cjk: each Chinese character is a word.
        clean_text: remove control, format and private-use characters.
        special_tokens_in_text: a special token spelled out in the text, `"[SEP]"`, becomes that token, as in Hugging
            Face's tokenizers. The clients on phones never do it and cut `[`, `sep`, `]`; False does as they do.
        max_word_characters: a longer word is `unknown_token`, without a look into the vocabulary.
    """

    lowercase: bool = True
    strip_accents: bool | None = None
    split_cjk: bool = True
    clean_text: bool = True
    special_tokens_in_text: bool = True
    unknown_token: str = "[UNK]"
    classify_token: str = "[CLS]"
    separate_token: str = "[SEP]"
    pad_token: str = "[PAD]"
    mask_token: str = "[MASK]"
    continuation_prefix: str = "##"
    max_word_characters: int = 100

    @property
    def strips_accents(self) -> bool:
        return self.lowercase if self.strip_accents is None else self.strip_accents

    @property
    def required_tokens(self) -> tuple[str, ...]:
        """The tokens that an encoding cannot do without."""
        return (self.unknown_token, self.classify_token, self.separate_token, self.pad_token)

    @property
    def special_tokens(self) -> tuple[str, ...]:
        return (*self.required_tokens, self.mask_token)

    def to_json(self) -> dict[str, bool | int | str | None]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, object], *, subject: str = "tokenizer settings") -> "TokenizerSettings":
        """The inverse of `to_json`; a setting that is left out has its default."""
        kinds = {field.name: field.type for field in dataclasses.fields(cls)}
        for name, value in values.items():
            if name not in kinds:
                nearest = difflib.get_close_matches(name, kinds, n=1, cutoff=0)[0]
                raise TokenizerError(
                    f"{subject}: expected settings out of {', '.join(kinds)}, got {name!r}. "
                    f"Do: remove it or write {nearest!r}."
                )
            _check(value, kinds[name], f"{subject}: {name}")
        return cls(**values)  # type: ignore[arg-type]  # each value was checked against its field


def _check(value: object, kind: object, subject: str) -> None:
    expected, holds = {
        bool: ("true or false", isinstance(value, bool)),
        bool | None: ("true, false or null", value is None or isinstance(value, bool)),
        str: ("a non-empty text", isinstance(value, str) and value != ""),
        int: ("a whole number above 0", isinstance(value, int) and not isinstance(value, bool) and value > 0),
    }[kind]
    if not holds:
        raise TokenizerError(f"{subject}: expected {expected}, got {value!r}. Do: correct it or leave it out.")
