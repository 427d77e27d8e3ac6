"""Places between a model's layers, by name: where training for int8 rounds, and a conversion for it marks tensors.

A layer class names its places in PLACES and hands what it computes there `through`; nothing stands there unless
somebody `put` it. A place is called by its layer's name and its own: encoder.blocks.0.attended.
"""

from collections.abc import Iterator

from edgebert.keras import keras

_SUFFIX = "_site"


def through(layer: keras.layers.Layer, place: str, x, training=None):
    """What stands at this place of the layer, given x; x itself where nothing does."""
    site = getattr(layer, place + _SUFFIX, None)
    return x if site is None else site(x, training=bool(training))


def put(model: keras.layers.Layer, name: str, site: keras.layers.Layer | None) -> None:
    """Have `site` stand at the place of this name, or nothing. What is compiled of the model knows only the old."""
    owner, _, place = name.rpartition(".")
    setattr(layer_at(model, owner), place + _SUFFIX, site)


def layer_at(model: keras.layers.Layer, name: str) -> keras.layers.Layer:
    """The layer of a name such as encoder.blocks.0.query."""
    found = model
    for part in name.split("."):
        found = found[int(part)] if part.isdigit() else getattr(found, part)
    return found


def place_names(layer: keras.layers.Layer, prefix: str = "") -> Iterator[str]:
    """Every place of the layer and of all layers in it; of some an architecture hands nothing through."""
    yield from (prefix + place for place in getattr(layer, "PLACES", ()))
    for attribute, value in vars(layer).items():
        if attribute.startswith("_") or attribute.endswith(_SUFFIX):
            continue
        if isinstance(value, keras.layers.Layer):
            yield from place_names(value, f"{prefix}{attribute}.")
        elif isinstance(value, list | tuple):
            for number, item in enumerate(value):
                if isinstance(item, keras.layers.Layer):
                    yield from place_names(item, f"{prefix}{attribute}.{number}.")
