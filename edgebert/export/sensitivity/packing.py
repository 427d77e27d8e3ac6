"""A mixed file made an ordinary one: checked against its plan, packed with vocabulary, labels and the plan itself."""

from collections.abc import Mapping
from typing import Any

from edgebert.config import HeadConfig
from edgebert.data.batches import INPUT_NAMES
from edgebert.data.wordpiece import WordPiece
from edgebert.errors import ArtefactError
from edgebert.export.flatbuffer import read_model
from edgebert.export.graph import OUTPUT_NAMES
from edgebert.export.inspect import require, summarize
from edgebert.export.metadata import pack_metadata
from edgebert.export.model import Operator, Subgraph
from edgebert.export.sensitivity.naming import operators_by_output
from edgebert.export.sensitivity.parts import DENSE, PRODUCT, TABLE, places
from edgebert.export.sensitivity.preparation import DYNAMIC, FLOAT, Prepared

# What `edgebert.json` calls the scheme; the plan is in its provenance.
MIXED = "mixed"


def pack_mixed(
    content: bytes,
    prepared: Prepared,
    treatments: Mapping[str, str],
    tokenizer: WordPiece,
    head: HeadConfig,
    maximum_length: int,
    provenance: Mapping[str, Any],
) -> bytes:
    """The finished file; `treatments` by part, which it is held to."""
    require_plan(content, prepared, treatments)
    packed = pack_metadata(
        content,
        vocabulary=tokenizer.vocabulary,
        labels=head.labels or None,
        tokenizer=tokenizer.settings,
        task=head.kind,
        pooling=head.pooling,
        maximum_length=maximum_length,
        precision=MIXED,
        provenance={**provenance, "treatments": dict(treatments)},
    )
    require(summarize(packed), inputs=INPUT_NAMES, outputs=(OUTPUT_NAMES[head.kind],))
    return packed


def require_plan(content: bytes, prepared: Prepared, treatments: Mapping[str, str]) -> None:
    """Refuse a file in which a layer, product or table is not as the plan has it."""
    original, subgraph = read_model(prepared.graph).subgraphs[0], read_model(content).subgraphs[0]
    where, made = places(original), operators_by_output(subgraph)
    for name, operator in operators_by_output(original).items():
        if operator.name in (DENSE, PRODUCT, TABLE):
            part = where[operator.index].name
            got = _found(subgraph, made[name]) if name in made else "nothing"
            if got != treatments.get(part, FLOAT):
                raise ArtefactError(
                    f"{part}: expected {treatments.get(part, FLOAT)} as the plan has it, got {got}. "
                    "Do: report this with the checkpoint's name; no file was written."
                )


def _found(subgraph: Subgraph, operator: Operator) -> str:
    """How the file treats it, in the plan's words."""
    types = [subgraph.tensors[index].dtype for index in (*operator.inputs[:2], operator.outputs[0])]
    if operator.name == TABLE:
        return types[1]
    if operator.name == DENSE and types == [FLOAT, "int8", FLOAT]:
        return DYNAMIC
    return types[0] if types[0] == types[2] and (types[1] == types[0] or types[0] == "int16") else "/".join(types)
