"""Ranges and factors of a quantised student, by the model's own names: values, and the strict file they are kept in.

A dense layer's input is divided by factors, one a channel, before it is rounded, and multiplied by them behind that; so
is its output where it has factors. The graph does the same with weights that absorb them.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from edgebert.errors import ArtefactError
from edgebert.files import write_atomically

QUANTIZATION_FILE = "quantization.json"
FORMAT, FORMAT_VERSION = "edgebert quantization", 1
# How far below every score int8's softmax, which counts in 1/256, is handed what is masked. 512 padded tokens together
# then weigh a three-hundredth of a score at the lowest end (512 e^-12); padded to 64 to 512 tokens, 100 texts' answers
# kept every bit, of either of two trained students. At 8, forty of them changed a random model's.
SCORES_BELOW_ANY = 12.0
# What it was when files did not tell.
_UNTOLD_SCORES_BELOW_ANY = 8.0
# The one range that int8 kernels give a function's results, whatever it computes: a softmax reaches 1, on a
# text of one token however long others are, with a scale of 1/256; tanh reaches -1 too, with one of 1/128.
PROBABILITY_RANGE, TANH_RANGE = (0.0, 255 / 256), (-1.0, 127 / 128)
STATIC, FULL_INT8 = "static", "full-int8"
# Schemes that a student can be trained for.
TRAINABLE_SCHEMES = (STATIC, FULL_INT8)

Range = tuple[float, float]


@dataclass(frozen=True, eq=False)
class ReadSite:
    """What one layer or several read: rounded once."""

    layers: tuple[str, ...]
    range: Range
    factors: np.ndarray | None = None
    # False: keeps the range that calibration gave it.
    learns: bool = True
    # The model's vector that the converter takes off what is read and puts, times the weights, into the layer's bias:
    # a norm's bias, added last before the layer.
    offset: str | None = None

    @property
    def name(self) -> str:
        return f"{self.layers[0]}.input"


@dataclass(frozen=True, eq=False)
class WrittenSite:
    """What a layer returns."""

    layer: str
    range: Range
    factors: np.ndarray | None = None
    learns: bool = True
    # As many steps below zero as above: what stands on the right of a product of two computed tensors.
    symmetric: bool = False
    # The layer's operator cuts what is below zero off itself, before it rounds.
    rectified: bool = False

    @property
    def name(self) -> str:
        return f"{self.layer}.output"


@dataclass(frozen=True, eq=False)
class ScoresSite:
    """A block's attention scores, ahead of the mask."""

    block: str
    range: Range
    learns: bool = True

    @property
    def name(self) -> str:
        return f"{self.block}.scores"


@dataclass(frozen=True, eq=False)
class PlaceSite:
    """What is computed between layers, at one of the model's places (edgebert.models.places)."""

    place: str
    range: Range
    learns: bool = True

    @property
    def name(self) -> str:
        return self.place


Site = ReadSite | WrittenSite | ScoresSite | PlaceSite


@dataclass(frozen=True, eq=False)
class QuantizationRanges:
    scheme: str
    reads: tuple[ReadSite, ...]
    written: tuple[WrittenSite, ...]
    scores: tuple[ScoresSite, ...]
    # Tables in int8: with one scale a row, in full-int8 with one for all.
    tables: tuple[str, ...]
    # Of full-int8 alone, where nothing between layers stays float.
    places: tuple[PlaceSite, ...] = ()
    # How far below its scores each block's mask is: a student answers as it was trained.
    masked_below: float = SCORES_BELOW_ANY

    @property
    def is_integer_throughout(self) -> bool:
        return self.scheme == FULL_INT8

    @property
    def sites(self) -> tuple[Site, ...]:
        return (*self.reads, *self.written, *self.scores, *self.places)

    def mapped(self, change: Callable[[Site], Site]) -> Self:
        """With every site changed."""
        sites = {name: tuple(map(change, getattr(self, name))) for name in ("reads", "written", "scores", "places")}
        return dataclasses.replace(self, **sites)

    def to_json(self) -> dict[str, Any]:
        return {
            "scheme": self.scheme,
            "reads": [
                {
                    "layers": list(site.layers),
                    **_site_fields(site),
                    "factors": _listed(site.factors),
                    "offset": site.offset,
                }
                for site in self.reads
            ],
            "written": [
                {
                    "layer": site.layer,
                    **_site_fields(site),
                    "factors": _listed(site.factors),
                    "symmetric": site.symmetric,
                    "rectified": site.rectified,
                }
                for site in self.written
            ],
            "scores": [{"block": site.block, **_site_fields(site)} for site in self.scores],
            "tables": list(self.tables),
            **(
                {"places": list(map(_place_fields, self.places)), "masked_below": self.masked_below}
                if self.places
                else {}
            ),
        }


@dataclass(frozen=True, eq=False)
class StoredRanges:
    """Ranges as they lie beside a checkpoint."""

    ranges: QuantizationRanges
    # Of the values of the model that they were learnt with.
    weights_sha256: str
    # What they were learnt from, for the provenance of a file.
    learnt: Mapping[str, Any]
    # Of the file.
    sha256: str = ""

    def content(self) -> bytes:
        fields = {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "weights_sha256": self.weights_sha256,
            "learnt": dict(self.learnt),
            **self.ranges.to_json(),
        }
        return (json.dumps(fields, indent=1) + "\n").encode()

    def write(self, folder: Path) -> Path:
        return write_atomically(folder / QUANTIZATION_FILE, self.content())

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """None where the folder has no such file."""
        path = folder / QUANTIZATION_FILE
        if not path.exists():
            return None
        content = path.read_bytes()
        try:
            return _Reader(path).stored(json.loads(content), hashlib.sha256(content).hexdigest())
        except ValueError as error:
            raise _Reader(path).wrong("JSON", f"'{error}'") from error


def has_ranges_for(scheme: str, learnt: StoredRanges | None) -> bool:
    """Whether these ranges, which may lie beside a checkpoint, are that scheme's."""
    return learnt is not None and learnt.ranges.scheme == scheme


def _site_fields(site: Site) -> dict[str, Any]:
    return {"range": [_short(end) for end in site.range], "learns": site.learns}


def _place_fields(site: PlaceSite) -> dict[str, Any]:
    return {"place": site.place, **_site_fields(site)}


def _listed(factors: np.ndarray | None) -> list[float] | None:
    return None if factors is None else [_short(factor) for factor in factors]


def _short(value: float) -> float:
    """The fewest digits that read back as the same float32."""
    return float(str(np.float32(value)))


class _Reader:
    """Every field has to be there, of its type, and no other."""

    def __init__(self, path: Path):
        self._path = path

    def wrong(self, expected: str, got: object) -> ArtefactError:
        return ArtefactError(
            f"{self._path}: expected {expected}, got {got}. Do: make it anew with edgebert quantize, or delete it."
        )

    def stored(self, fields: Any, sha256: str) -> StoredRanges:
        known = ("format", "version", "weights_sha256", "learnt", "scheme", "reads", "written", "scores", "tables")
        if not isinstance(fields, dict) or fields.get("format") != FORMAT:
            raise self.wrong(f"a file of the format '{FORMAT}'", "another one")
        if fields.get("version") != FORMAT_VERSION:
            raise self.wrong(f"version {FORMAT_VERSION} of the format", fields.get("version"))
        # Static files have neither, and those that were made first did not tell how deep the mask is.
        optional = [name for name in ("places", "masked_below") if name in fields and "places" in fields]
        self._fields(fields, (*known, *optional), "it")
        if fields["scheme"] not in TRAINABLE_SCHEMES:
            raise self.wrong(f"a scheme among {', '.join(TRAINABLE_SCHEMES)}", repr(fields["scheme"]))
        ranges = QuantizationRanges(
            fields["scheme"],
            tuple(self._read_site(each) for each in self._list(fields["reads"], "reads")),
            tuple(self._written_site(each) for each in self._list(fields["written"], "written")),
            tuple(self._scores_site(each) for each in self._list(fields["scores"], "scores")),
            self._names(fields["tables"], "tables"),
            tuple(self._place_site(each) for each in self._list(fields.get("places", []), "places")),
            self._masked_below(fields),
        )
        if bool(ranges.places) != ranges.is_integer_throughout:
            raise self.wrong(
                f"places in {FULL_INT8} and in no other scheme", f"{len(ranges.places)} in {ranges.scheme}"
            )
        self._require_apart([site.name for site in ranges.sites])
        self._require_apart([layer for site in ranges.reads for layer in site.layers])
        self._type(fields["weights_sha256"], str, "weights_sha256")
        self._type(fields["learnt"], dict, "learnt")
        return StoredRanges(ranges, fields["weights_sha256"], fields["learnt"], sha256)

    def _masked_below(self, fields: Any) -> float:
        (depth,) = self._numbers([fields.get("masked_below", _UNTOLD_SCORES_BELOW_ANY)], "masked_below")
        if depth <= 0:
            raise self.wrong("masked_below above 0", depth)
        return depth

    def _read_site(self, fields: Any) -> ReadSite:
        self._fields(fields, ("layers", "range", "learns", "factors", "offset"), "reads")
        layers = self._names(fields["layers"], "layers")
        if not layers:
            raise self.wrong("layers that read each site", "none")
        offset = None if fields["offset"] is None else self._type(fields["offset"], str, "offset")
        return ReadSite(layers, self._range(fields), self._factors(fields), self._learns(fields), offset)

    def _written_site(self, fields: Any) -> WrittenSite:
        self._fields(fields, ("layer", "range", "learns", "factors", "symmetric", "rectified"), "written")
        layer = self._type(fields["layer"], str, "layer")
        how = [self._type(fields[name], bool, name) for name in ("learns", "symmetric", "rectified")]
        return WrittenSite(layer, self._range(fields), self._factors(fields), *how)

    def _scores_site(self, fields: Any) -> ScoresSite:
        self._fields(fields, ("block", "range", "learns"), "scores")
        return ScoresSite(self._type(fields["block"], str, "block"), self._range(fields), self._learns(fields))

    def _place_site(self, fields: Any) -> PlaceSite:
        self._fields(fields, ("place", "range", "learns"), "places")
        return PlaceSite(self._type(fields["place"], str, "place"), self._range(fields), self._learns(fields))

    def _fields(self, fields: Any, known: Sequence[str], what: str) -> None:
        found = sorted(fields) if isinstance(fields, dict) else type(fields).__name__
        if found != sorted(known):
            raise self.wrong(f"in {what} the fields {', '.join(sorted(known))}", found)

    def _range(self, fields: dict[str, Any]) -> Range:
        numbers = self._numbers(fields["range"], "range")
        if len(numbers) != 2 or not numbers[0] <= 0 <= numbers[1]:
            raise self.wrong("ranges of two numbers with 0 between them", fields["range"])
        return numbers[0], numbers[1]

    def _factors(self, fields: dict[str, Any]) -> np.ndarray | None:
        if fields["factors"] is None:
            return None
        numbers = self._numbers(fields["factors"], "factors")
        if not numbers or min(numbers) <= 0:
            raise self.wrong("factors above 0", min(numbers, default="none"))
        return np.array(numbers, np.float32)

    def _learns(self, fields: dict[str, Any]) -> bool:
        return self._type(fields["learns"], bool, "learns")

    def _numbers(self, values: Any, what: str) -> list[float]:
        for value in self._list(values, what):
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise self.wrong(f"finite numbers as {what}", repr(value))
        return [float(value) for value in values]

    def _names(self, values: Any, what: str) -> tuple[str, ...]:
        return tuple(self._type(value, str, what) for value in self._list(values, what))

    def _list(self, values: Any, what: str) -> list:
        return self._type(values, list, what)

    def _type(self, value: Any, kind: type, what: str) -> Any:
        if not isinstance(value, kind):
            raise self.wrong(f"{what} to be a {kind.__name__}", repr(value)[:60])
        return value

    def _require_apart(self, names: Sequence[str]) -> None:
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise self.wrong("every site once", f"{twice[0]} twice")
