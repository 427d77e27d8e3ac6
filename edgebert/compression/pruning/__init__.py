"""Magnitude pruning by TF-MOT: which matrices, in which pattern, over which steps, and the masks that do it."""
