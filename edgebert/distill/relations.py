"""How many relation heads two attention widths allow."""

import math

# MiniLM v2's own for a base-sized teacher; the paper found that more relation heads taught more.
MOST_RELATION_HEADS = 48


def common_relation_heads(student_width: int, teacher_width: int) -> int:
    """The largest number up to MOST_RELATION_HEADS that divides both attention widths."""
    common = math.gcd(student_width, teacher_width)
    return next(heads for heads in range(min(common, MOST_RELATION_HEADS), 0, -1) if common % heads == 0)
