"""Quantisation-aware training: a float32 student learns to live with int8, and its activations' ranges with it.

`ranges` is what is learnt, by the model's own names, and the file it is kept in; `quantizers` round in TensorFlow as
int8 kernels do; `wrapping` puts TF-MOT's wrappers around the layers inside a model, and rounding between them, and
takes both off again; `companion` moves and freezes the ranges while the one training loop trains. Where the ranges
start, and what a graph is made of them, is `edgebert.export.quantization`'s.
"""
