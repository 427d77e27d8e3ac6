"""The dense layers that bring a student's states to the teacher's width: trained with it, thrown away afterwards."""

from edgebert.config import EncoderConfig
from edgebert.distill.recipe import Recipe
from edgebert.keras import keras


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
