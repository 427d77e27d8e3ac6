"""The dense layers that bring a student's states to the teacher's width: trained with it, useless without the teacher.

What one step or stage has learnt of them the next goes on with, as TinyBERT's published code does, whose checkpoints
hold `fit_dense`: a student that was brought close to its teacher through them would start anew under random ones.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from edgebert.config import EncoderConfig
from edgebert.distill.recipe import Recipe
from edgebert.files import write_atomically
from edgebert.keras import keras, tf
from edgebert.models.task import named_variables
from edgebert.models.tensor_file import float32_tensor, read_tensor_file, tensor_file_bytes

# Beside the student's own weights.
FILE_NAME = "projections.safetensors"
NO_PROJECTIONS: Mapping[str, np.ndarray] = MappingProxyType({})


class Projections(keras.layers.Layer):
    """Dense layers with bias, as TinyBERT's published `fit_dense` (the paper's W_h and W_e have none).

    Float32 under every policy, like the losses that read them.
    """

    def __init__(self, student_layers: tuple[int, ...], width: int, shared: bool, initializer_range: float, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.student_layers, self.shared = student_layers, shared
        names = ["shared"] if shared and student_layers else [f"layer_{number}" for number in student_layers]
        self.maps = [
            keras.layers.Dense(
                width,
                kernel_initializer=keras.initializers.TruncatedNormal(stddev=initializer_range),
                dtype="float32",
                name=name,
            )
            for name in names
        ]

    def project(self, student_layer: int, states):
        """[B, T, student width] to [B, T, teacher width]; a layer without a map stays as it is."""
        if student_layer not in self.student_layers:
            return states
        return self.maps[0 if self.shared else self.student_layers.index(student_layer)](states)


def make_projections(recipe: Recipe, teacher_config: EncoderConfig, student_config: EncoderConfig) -> Projections:
    """The projections that a recipe needs, built; none where the widths are equal."""
    needed: set[int] = set()
    if recipe.projection != "none" and teacher_config.width != student_config.width:
        for term in recipe.terms:
            if term.facts.projected:
                pairs = term.pairs(recipe.layer_map, student_config.layers, teacher_config.layers)
                needed |= {pair.student for pair in pairs}
    projections = Projections(
        tuple(sorted(needed)),
        teacher_config.width,
        recipe.projection == "shared",
        student_config.initializer_range,
        name="projections",
    )
    for dense in projections.maps:
        dense.build((None, None, student_config.width))
    return projections


def projection_tensors(projections: Projections) -> dict[str, np.ndarray]:
    return {name: variable.numpy() for name, variable in _by_layer(projections).items()}


def take_over(projections: Projections, tensors: Mapping[str, np.ndarray]) -> None:
    """Assign what has the name and shape of one; a teacher of another width, or other layers, have nothing to give."""
    for name, variable in _by_layer(projections).items():
        if name in tensors and tensors[name].shape == tuple(variable.shape):
            variable.assign(tensors[name])


def _by_layer(projections: Projections) -> dict[str, tf.Variable]:
    """`layer_3.kernel`, `shared.bias`, ...: another recipe may project other layers."""
    return {
        name: variable
        for dense in projections.maps
        for name, variable in named_variables(dense, f"{dense.name}.").items()
    }


def save_projections(folder: str | os.PathLike, tensors: Mapping[str, np.ndarray]) -> None:
    if tensors:
        content = tensor_file_bytes({name: float32_tensor(values) for name, values in tensors.items()}, {})
        write_atomically(Path(folder) / FILE_NAME, content)


def read_projections(folder: str | os.PathLike) -> dict[str, np.ndarray]:
    """Those in a student's folder; none where nothing was projected."""
    path = Path(folder) / FILE_NAME
    if not path.exists():
        return {}
    return {name: tensor.float32() for name, tensor in read_tensor_file(path).tensors.items()}
