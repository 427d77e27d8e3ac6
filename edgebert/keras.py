"""The one door to Keras 2 (`tf_keras`): TF-MOT knows no other; Keras 3, which TensorFlow installs, must not mix in."""

import functools
import os

from edgebert.quiet import quiet_native_output

# TensorFlow's start-up remarks are not for the user; its Python warnings stay.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

with quiet_native_output():
    import tensorflow as tf
    import tf_keras as keras

if not keras.__version__.startswith("2."):
    raise ImportError(
        f"tf_keras: expected version 2 (TF-MOT supports no other), got {keras.__version__}. "
        "Do: pip install '.[toolchain]' in edgebert's checkout into a fresh environment."
    )

# No function here branches on a tensor in Python: translating all of Keras' layers for it takes a quarter of the time
# that a step takes to trace. Where one would branch, TensorFlow says so.
traced = functools.partial(tf.function, autograph=False)

__all__ = ["keras", "tf", "traced"]
