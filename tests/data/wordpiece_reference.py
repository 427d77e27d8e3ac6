"""The independent tokenizer that ours is held to: `tokenizers`, put together as transformers puts BERT's together."""

import re
from collections.abc import Sequence

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from edgebert.data.wordpiece import TokenizerSettings


def reference_tokenizer(vocabulary: Sequence[str], settings: TokenizerSettings) -> Tokenizer:
    ids = {piece: number for number, piece in enumerate(vocabulary)}
    model = models.WordPiece(
        vocab=ids,
        unk_token=settings.unknown_token,
        continuing_subword_prefix=settings.continuation_prefix,
        max_input_chars_per_word=settings.max_word_characters,
    )
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=settings.clean_text,
        handle_chinese_chars=settings.split_cjk,
        strip_accents=settings.strip_accents,
        lowercase=settings.lowercase,
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    before, after = settings.classify_token, settings.separate_token
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{before}:0 $A:0 {after}:0",
        pair=f"{before}:0 $A:0 {after}:0 $B:1 {after}:1",
        special_tokens=[(before, ids[before]), (after, ids[after])],
    )
    tokenizer.add_special_tokens([token for token in settings.special_tokens if token in ids])
    tokenizer.encode_special_tokens = not settings.special_tokens_in_text
    return tokenizer


def reference_words(text: str, settings: TokenizerSettings) -> list[str]:
    """The words that are looked up, without the vocabulary that would hide many differences behind `[UNK]`."""
    normalizer = normalizers.BertNormalizer(
        clean_text=settings.clean_text,
        handle_chinese_chars=settings.split_cjk,
        strip_accents=settings.strip_accents,
        lowercase=settings.lowercase,
    )
    splits = pre_tokenizers.BertPreTokenizer().pre_tokenize_str(normalizer.normalize_str(encodable(text)))
    return [word for word, _ in splits]


def encodable(text: str) -> str:
    """The reference refuses lone surrogates; what ours defines them as."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)
