"""From run folders to what people look at: tables and charts of what was scored, measured and verified. Computes no
score and no time of its own: what a run does not hold is shown as not measured."""
