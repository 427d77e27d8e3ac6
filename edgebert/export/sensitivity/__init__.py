"""Where a quantised file loses accuracy: each tensor's error, each part's harm, and a mixture that harms little enough.

`parts` names what a graph consists of; `preparation` makes a scheme's graph with a rule for each part, so that some can
be quantised and others not; `exam` asks any such file the same texts; `measuring` asks it with one part quantised at a
time, `tensors` compares inside; `choosing` moves parts back towards float until a file is good enough, and `packing`
makes it an ordinary one. `result` is what is said in the end, as plain values.
"""
