"""A smaller model cut out of a larger one: a student's start, and structured pruning.

`measuring` and `magnitude` say what matters, `choosing` ranks what to keep, `truncating` cuts, and `refitting` lets
what is kept stand in for what is dropped. All but `measuring` is numpy, tensors to tensors.
"""
