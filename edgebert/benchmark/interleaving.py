"""Who runs when. In every round each case runs one block, in an order drawn anew, so that a machine that grows slower
or busier by the minute does so for all cases alike and their ratio does not notice.
"""

import random


def round_order(seed: int, number: int, cases: int) -> tuple[int, ...]:
    """The order of the cases in round `number`: the same for the same seed, on every machine."""
    order = list(range(cases))
    random.Random(f"{seed}/{number}").shuffle(order)
    return tuple(order)


def block_inputs(number: int, block_runs: int, inputs: int) -> tuple[int, ...]:
    """The inputs of round `number`, the same for every case: all inputs take turns."""
    return tuple((number * block_runs + position) % inputs for position in range(block_runs))
