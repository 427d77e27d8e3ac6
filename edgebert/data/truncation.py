"""Which tokens are kept of a text, or of a pair of texts, that is too long."""

from collections.abc import Callable, Sequence

Ids = Sequence[int]

# Sun et al. 2019 ("How to Fine-Tune BERT for Text Classification?", section 5.3.1) keep the first 128 and the last 382
# of 510 tokens.
_HEAD, _HEAD_AND_TAIL = 128, 510


def truncate(first: Ids, second: Ids, room: int, truncation: str) -> tuple[Ids, Ids]:
    """What is kept of two texts in `room` tokens; a single text has an empty second one.

    - `longest_first`: the longer text gives way until both are equally long, then both do. As Hugging Face's tokenizers
      do it: where an odd token is left over, the text that was longer has it, or the second if none was.
    - `head`: the first tokens. Of a pair, the second text gives way entirely before the first loses a token.
    - `head_tail`: of each text the first and the last tokens, one to three; a pair shares as in `longest_first`.
    """
    if truncation not in _TRUNCATIONS:
        raise ValueError(
            f"truncation: expected one of {', '.join(_TRUNCATIONS)}, got {truncation!r}. Do: choose one of these."
        )
    return _TRUNCATIONS[truncation](first, second, room)


def _longest_first(first: Ids, second: Ids, room: int) -> tuple[Ids, Ids]:
    first_count, second_count = _shares(len(first), len(second), room)
    return first[:first_count], second[:second_count]


def _head(first: Ids, second: Ids, room: int) -> tuple[Ids, Ids]:
    kept = first[:room]
    return kept, second[: room - len(kept)]


def _head_tail(first: Ids, second: Ids, room: int) -> tuple[Ids, Ids]:
    first_count, second_count = _shares(len(first), len(second), room)
    return _cut_middle(first, first_count), _cut_middle(second, second_count)


_TRUNCATIONS: dict[str, Callable[[Ids, Ids, int], tuple[Ids, Ids]]] = {
    "longest_first": _longest_first,
    "head": _head,
    "head_tail": _head_tail,
}
TRUNCATIONS = tuple(_TRUNCATIONS)


def _shares(first_count: int, second_count: int, room: int) -> tuple[int, int]:
    """How many tokens each text keeps."""
    if first_count + second_count <= room:
        return first_count, second_count
    half = room // 2
    shorter, longer = half, room - half
    if min(first_count, second_count) <= half:
        shorter = min(first_count, second_count)
        longer = room - shorter
    return (longer, shorter) if first_count > second_count else (shorter, longer)


def _cut_middle(ids: Ids, count: int) -> Ids:
    if len(ids) <= count:
        return ids
    head = -(-count * _HEAD // _HEAD_AND_TAIL)  # rounded up, so that one token is the first
    return [*ids[:head], *ids[len(ids) - (count - head) :]]
