"""What `edgebert compress` prints: the plan, and the closing table."""

from edgebert.cli.distillation_report import plan_as_text as distillation_as_text
from edgebert.cli.output import counted, note, table
from edgebert.config import EncoderConfig
from edgebert.distill.planning import count_parameters
from edgebert.pipeline.compressions import CompressionRequest
from edgebert.pipeline.outcome import Outcome
from edgebert.pipeline.planning import RunPlan
from edgebert.pipeline.request import Request
from edgebert.pipeline.standings import FINISHED
from edgebert.pipeline.verifying import chosen_clients
from edgebert.stations.prune_request import PruneRequest
from edgebert.stations.shrink_request import ShrinkRequest
from edgebert.stations.trimming import TrimRequest

SHOWN_LABELS = 5


def plan_as_text(plan: RunPlan) -> str:
    request, one = plan.request, plan.resources
    available = "" if one.memory_available_bytes is None else f" ({one.memory_available_bytes:,} available)"
    facts = [
        ("run", plan.folder),
        ("teacher", _teacher(request)),
        ("data", _data(plan)),
        ("labels", _labels(request)),
        *((("corpus", _corpus(request)),) if request.text is not None else ()),
        *((stage, _compression(one)) for stage, one in request.future_compressions.items()),
        ("files", ", ".join(plan.files)),
        ("clients", ", ".join(client.name for client in chosen_clients(request.config.verify))),
        ("disk", f"{one.disk_bytes:,} bytes at most ({one.disk_free_bytes:,} free)"),
        ("memory", f"about {one.memory_bytes:,} bytes{available}"),
    ]
    width = max(len(name) for name, _ in facts)
    blocks = ["\n".join(f"{name.ljust(width)}  {text}" for name, text in facts)]
    if request.config.has_student:
        blocks.append(distillation_as_text(request.future_distillation))
    rows = [(name, "finished, skipped" if state == FINISHED else state) for name, state in plan.standings.items()]
    blocks.append(table(("stage", "standing"), rows))
    return "\n\n".join([*blocks, *plan.notes])


def _teacher(request: Request) -> str:
    parameters = f"{count_parameters(request.checkpoint.encoder, request.head):,} parameters"
    one = request.config.finetune
    if not request.trains_teacher:
        return f"{request.checkpoint.source}, {parameters}, as it stands"
    return (
        f"{request.checkpoint.source}, {parameters}, fine-tuned for {counted(one.epochs, 'epoch')} in batches of "
        f"{one.batch_size} at {one.learning_rate:g}"
    )


def _data(plan: RunPlan) -> str:
    request = plan.request
    cut = f", {plan.cut_share:.1%} cut at {request.config.finetune.length}" if plan.cut_share else ""
    return (
        f"{counted(len(request.train), 'example')} of {request.train.source} with {plan.mean_tokens:.1f} tokens{cut}; "
        f"{len(request.dev):,} of {request.dev.source} to score on"
    )


def _labels(request: Request) -> str:
    if request.train.is_regression:
        return "scores to predict"
    labels = request.train.labels
    more = f" and {len(labels) - SHOWN_LABELS} more" if len(labels) > SHOWN_LABELS else ""
    return f"{len(labels)}: {', '.join(labels[:SHOWN_LABELS])}{more}"


def _corpus(request: Request) -> str:
    return (
        f"{counted(len(request.text.files), 'file')}, {request.text.tokens:,} tokens in "
        f"{counted(len(request.text.train), 'sequence')} of at most {request.text_tokens}"
    )


def _compression(request: CompressionRequest) -> str:
    if isinstance(request, TrimRequest):
        return f"{len(request.kept.ids):,} of {len(request.tokenizer.vocabulary):,} pieces kept"
    if isinstance(request, ShrinkRequest):
        before, after = (_shape(encoder) for encoder in (request.student.encoder, request.configs[-1]))
        what = f"from {before} to {after}, in {counted(request.steps, 'step')}"
    elif isinstance(request, PruneRequest):
        shares = ", ".join(f"{share:.0%} of {name}" for name, share in request.policy.sparsities.items())
        what = f"{shares}, {request.policy.pattern}"
    else:
        what = f"for {request.scheme}"
    epochs = counted(request.training.epochs, "epoch")
    return f"{what}; {epochs} at {request.training.learning_rate:g}, healed by {request.recipe.name}"


def _shape(encoder: EncoderConfig) -> str:
    parts = (
        (encoder.layers, "layer"),
        (encoder.heads, "head"),
        (encoder.feed_forward_width, "neuron"),
        (encoder.width, "channel"),
    )
    return ", ".join(counted(number, name) for number, name in parts)


def result_as_text(outcome: Outcome) -> str:
    reference = outcome.rows[0]
    clients = sorted({name for row in outcome.rows for name in row.clients})
    header = (
        *("file", "bytes", "smaller", outcome.metric, "retained", "same answer", "ms", "faster", "runtime"),
        *clients,
    )
    rows = [
        (
            row.path,
            f"{row.size_bytes:,}",
            f"{reference.size_bytes / row.size_bytes:.1f}x",
            f"{100 * row.score:.2f}",
            f"{100 * row.score / reference.score:.1f}%" if reference.score > 0 else "-",
            f"{100 * row.agreement:.2f}",
            f"{row.latency_ms:.2f}",
            f"{reference.latency_ms / row.latency_ms:.1f}x",
            row.minimum_runtime,
            *(row.clients.get(name, "-") for name in clients),
        )
        for row in outcome.rows
    ]
    note(
        f"{outcome.metric} and answers are of the files themselves on {outcome.dev_examples:,} dev examples; ms is the "
        f"median on this host; all is compared with {reference.path.name}"
    )
    for doubt in outcome.doubts:
        note(f"doubtful: {doubt}")
    for line in outcome.budget:
        note(f"budget: {line}")
    if outcome.report is not None:
        note(f"report: {outcome.report}")
    return table(header, rows)
