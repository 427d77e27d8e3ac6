"""What a student starts from: its teacher's layers, a truncated teacher, another student, or chance.

`starting.initialise` is the one door. Behind it everything but `measuring` is numpy, tensors to tensors: `choosing`
ranks what to keep, `truncating` cuts, `refitting` lets what is kept stand in for what is dropped.
"""
