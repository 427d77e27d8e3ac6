"""`edgebert inspect`: what a .tflite is, what it needs, and how XNNPACK will run it."""

import argparse
import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence

from edgebert.bundle import Description, read_bundle
from edgebert.cli.output import note, table
from edgebert.errors import ArtefactError

HELP = "say what a .tflite is: inputs, operators, sizes, the runtime it needs, what XNNPACK takes and why not the rest"
EXAMPLES = """\
  edgebert inspect model.tflite                       tables: origin, inputs, operators, sizes, clients, delegation
  edgebert inspect model.tflite --nodes               also every operator that XNNPACK leaves, one by one
  edgebert inspect model.tflite --json > model.json   everything, for a program
  edgebert inspect ours.tflite theirs.tflite          one after the other; any exporter's files will do"""

JSON_FORMAT = "edgebert-inspect/1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("models", nargs="+", metavar="model.tflite", help="a file, from any exporter")
    parser.add_argument("--nodes", action="store_true", help="list every operator that XNNPACK does not take")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of tables")


def run(arguments: argparse.Namespace) -> int:
    from edgebert.export.inspect import summarize

    found = [(summarize(model), _packed(model)) for model in arguments.models]
    if arguments.json:
        files = [
            {
                **dataclasses.asdict(summary),
                "taken_share": summary.taken_share,
                "edgebert": None if packed is None else packed.to_json(),
            }
            for summary, packed in found
        ]
        print(json.dumps({"format": JSON_FORMAT, "files": files}, indent=1))
        return 0
    print("\n\n\n".join("\n\n".join(_sections(summary, packed, arguments.nodes)) for summary, packed in found))
    return 0


def _packed(model: str) -> Description | None:
    """Where files are packed in that cannot be read, the rest of the model is told all the same."""
    try:
        return read_bundle(model).description
    except ArtefactError as error:
        note(str(error))
        return None


def _sections(summary, packed: Description | None, with_nodes: bool):
    yield f"{summary.subject}  {summary.size_bytes:,} bytes  {summary.parameters:,} parameters"
    if packed is not None:
        yield _origin(packed)
    yield _calls(summary)
    yield _operators(summary)
    yield _sizes(summary)
    yield _runtime(summary)
    yield _delegation(summary)
    if with_nodes:
        yield _nodes(summary)


def _origin(packed: Description) -> str:
    """What edgebert packed into the file of where it is from; any other exporter's file tells nothing."""
    rows = [("task", f"{packed.task}, {packed.pooling} pooling"), ("precision", packed.precision)]
    for name, value in packed.provenance.items():
        if isinstance(value, Mapping):
            rows += [(f"{name}, {part}", str(one)) for part, one in value.items()]
        else:
            rows.append((name, str(value)))
    return table(("made by edgebert", ""), rows)


def _calls(summary) -> str:
    rows = [
        (call.key or "(no signature)", side, port.name, port.dtype, _shape(port.shape), _meaning(port.quantization))
        for call in summary.calls
        for side, ports in (("input", call.inputs), ("output", call.outputs))
        for port in ports
    ]
    if not any(meaning for *_, meaning in rows):
        return table(("signature", "", "name", "type", "shape"), [row[:-1] for row in rows])
    return table(("signature", "", "name", "type", "shape", "stands for"), rows)


def _meaning(quantization: tuple[float, int] | None) -> str:
    """What an integer means that has a scale and a zero point."""
    if quantization is None:
        return ""
    scale, zero_point = quantization
    return f"(integer {-zero_point:+d}) x {scale:.6g}"


def _operators(summary) -> str:
    rows = [
        (row.name, row.version, row.count, "/".join(row.weights) or "-", "/".join(row.activations) or "-", row.taken)
        for row in summary.operators
    ]
    return table(("operator", "version", "count", "weights", "activations", "XNNPACK"), rows)


def _sizes(summary) -> str:
    sizes = summary.sizes
    parts = (
        ("embedding tables", sizes.embedding),
        ("encoder and head", sizes.encoder),
        ("other constants", sizes.rest),
        ("packed files", sizes.packed),
        ("scales and zero points", sizes.scales),
        ("graph", sizes.overhead),
        ("file", sizes.total),
    )
    rows = [(name, f"{count:,}", f"{100 * count / summary.size_bytes:.1f}%") for name, count in parts]
    lines = [table(("part", "bytes", "share"), rows), f"zeros among the weights: {_zeros(summary)}"]
    if summary.packed_files:
        lines.append(f"packed: {', '.join(summary.packed_files)}")
    for what, names in (("vocabulary", summary.vocabulary), ("labels", summary.labels)):
        told = [name if name in summary.packed_files else f"{name} (named, and not there)" for name in names]
        lines.append(f"{what}: {', '.join(told) or 'not packed'}")
    return "\n".join(lines)


def _zeros(summary) -> str:
    matrices = [weight for weight in summary.weights if weight.is_matrix]
    if not matrices:
        return "no matrices"
    elements = sum(weight.elements for weight in matrices)
    share = sum(weight.zero_share * weight.elements for weight in matrices) / elements
    sparsest = max(matrices, key=lambda weight: weight.zero_share)
    return f"{100 * share:.1f}% (most: {100 * sparsest.zero_share:.1f}% of '{sparsest.name}')"


def _runtime(summary) -> str:
    because = f" ({summary.runtime_reason})" if summary.runtime_reason else ""
    lines = [f"needs runtime {summary.minimum_runtime} or newer{because}"]
    for name in (*summary.flex_operators, *summary.custom_operators):
        lines.append(f"custom operator: {name}")
    for entry in _distinct_understatements(summary):
        lines.append(entry)
    if summary.wide_masks:
        masks = _first_of(summary.wide_masks)
        lines.append(f"masks: {masks}, too wide for scores: padding changes the answers")
    rows = [(client.title, "yes" if client.can_run else "no", client.reason or "-") for client in summary.clients]
    return "\n".join([*lines, table(("client", "runs it", "why not"), rows)])


def _distinct_understatements(summary) -> list[str]:
    return list(
        dict.fromkeys(
            f"dishonest: {entry.operator} says version {entry.version} and needs {entry.needed}"
            for entry in summary.understatements
        )
    )


def _delegation(summary) -> str:
    """The operators that XNNPACK leaves, like reasons together: costly ones first, cheap ones in one line."""
    lines = []
    for delegation in summary.delegations:
        count = len(delegation.verdicts)
        pieces = "one piece" if delegation.partitions == 1 else f"{delegation.partitions} pieces"
        lines.append(f"graph {delegation.subgraph}: XNNPACK takes {delegation.taken} of {count} operators in {pieces}")
    groups: dict[tuple, list] = {}
    for verdict in _left(summary):
        if not verdict.is_cheap:
            groups.setdefault((verdict.operator, str(verdict.outcome), verdict.change), []).append(verdict)
    for (operator, outcome, change), verdicts in sorted(groups.items(), key=lambda group: -len(group[1])):
        lines.append(f"  {operator} x {len(verdicts)} {outcome}: {_reasons(verdicts)}")
        if change:
            lines.append(f"    change: {change}")
    cheap = Counter(verdict.operator for verdict in _left(summary) if verdict.is_cheap)
    if cheap:
        lines.append(f"  left, and cheap: {', '.join(f'{name} x {count}' for name, count in cheap.most_common())}")
    return "\n".join(lines)


def _reasons(verdicts) -> str:
    return _first_of(list(dict.fromkeys(verdict.reason for verdict in verdicts)))


def _first_of(alike: Sequence) -> str:
    return f"{alike[0]}" if len(alike) == 1 else f"{alike[0]} (and {len(alike) - 1} like it)"


def _nodes(summary) -> str:
    rows = [
        (verdict.subgraph, verdict.node, verdict.operator, str(verdict.outcome), verdict.reason, verdict.change or "-")
        for verdict in _left(summary)
    ]
    return table(("graph", "node", "operator", "", "why", "what would change it"), rows)


def _left(summary):
    return [
        verdict
        for delegation in summary.delegations
        for verdict in delegation.verdicts
        if str(verdict.outcome) != "taken"
    ]


def _shape(shape: tuple[int, ...]) -> str:
    return "[" + ", ".join("any" if size == -1 else str(size) for size in shape) + "]"
