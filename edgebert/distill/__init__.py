"""Distillation: what a student copies from its teacher, layer by layer and term by term.

Recipes, layer maps and their checks are plain Python, so that a configuration is refused before TensorFlow is loaded;
the losses, the projections and `computing` are what a train step traces.
"""
