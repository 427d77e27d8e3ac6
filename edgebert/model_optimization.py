"""The one door to TF-MOT: pruning wrappers and quantisers."""

import warnings

# Before TF-MOT: it must find Keras 2 chosen and TensorFlow's start-up remarks silenced.
import edgebert.keras  # noqa: F401

with warnings.catch_warnings():
    # It compares versions by distutils' classes, which are deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    import tensorflow_model_optimization as tfmot

__all__ = ["tfmot"]
