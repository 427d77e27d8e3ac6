"""What the profiler tells of one inference: which operators ran, where, and how long each took.

LiteRT's own operators come with their node's number; those inside the delegate with their place in XNNPACK's piece of
the graph. Both in whole microseconds, rounded down.
"""

from collections.abc import Sequence
from dataclasses import dataclass

# The profiler's kinds of events (tflite/core/api/profiler.h).
_DEFAULT, _OPERATOR, _DELEGATE_OPERATOR = 1, 2, 8
_INVOKE = "Invoke"


@dataclass(frozen=True)
class RawEvent:
    tag: str
    kind: int
    elapsed_us: int
    number: int
    subgraph: int


@dataclass(frozen=True)
class Step:
    """One operator of the run order: a node of the graph, or number `number` of XNNPACK's piece `piece`."""

    name: str
    number: int
    piece: int | None


@dataclass(frozen=True)
class Pass:
    """One inference. `invoke_us` is the graph's run as a whole, operators and what lies between them."""

    steps: tuple[Step, ...]
    elapsed_us: tuple[int, ...]
    invoke_us: int


def read_pass(events: Sequence[RawEvent]) -> Pass:
    """The operators of one inference in the order they ran; a RuntimeError where the profiler tells of none."""
    steps, elapsed, piece, next_in_piece = [], [], -1, 0
    for event in events:
        if event.kind == _OPERATOR:
            steps.append(Step(event.tag, event.number, None))
        elif event.kind == _DELEGATE_OPERATOR:
            # The delegate numbers its operators anew in each piece, and says nothing where one begins.
            piece += piece < 0 or event.number != next_in_piece
            next_in_piece = event.number + 1
            steps.append(Step(event.tag, event.number, piece))
        else:
            continue
        elapsed.append(event.elapsed_us)
    whole = [event.elapsed_us for event in events if event.kind == _DEFAULT and event.tag == _INVOKE]
    if not steps or len(whole) != 1:
        raise RuntimeError(f"expected a profile of one inference, got {len(whole)} with {len(steps)} operators")
    return Pass(tuple(steps), tuple(elapsed), whole[0])
