"""Whether the clients that a user requires can ever agree: said before an hour is spent on files for them."""

import dataclasses

from edgebert.config import EncoderConfig, HeadConfig
from edgebert.data.wordpiece import WordPiece
from edgebert.errors import ClientError
from edgebert.export.clients.environments import INSTALLED, environment
from edgebert.export.clients.registry import CLIENTS, Client
from edgebert.export.convert import Exporter, ExportRequest
from edgebert.export.inspect import summarize
from edgebert.models.task import build_model
from edgebert.pipeline.request import STUDENT, TEACHER, Request
from edgebert.pipeline.verifying import chosen_clients


def check_required_clients(request: Request) -> None:
    required = request.config.verify.required
    # Refuses names that are none.
    chosen_clients(request.config.verify)
    clients = [client for client in CLIENTS if client.name in required]
    if not clients:
        return
    for client in clients:
        _check_there(client, request)
    model = STUDENT if request.config.has_student else TEACHER
    encoder = request.future_distillation.student if request.config.has_student else request.checkpoint.encoder
    tokenizer = WordPiece.from_folder(request.checkpoint.source)
    for export in request.exports[model]:
        _check_precision(export, clients, encoder, request.head, tokenizer)


def _check_there(client: Client, request: Request) -> None:
    found = environment(client)
    if found.state != INSTALLED:
        raise ClientError(
            f"--require {client.name}: expected it installed, got {found.state}. Do: {client.how_to_install}."
        )
    if not client.takes_tokens and any(example.second_text is not None for example in request.dev.examples):
        raise ClientError(
            f"--require {client.name}: expected single texts, which is all that it takes, got pairs. "
            "Do: require clients that take tokens (litert, tensorflow)."
        )


def _check_precision(
    export: ExportRequest,
    clients: list[Client],
    encoder: EncoderConfig,
    head: HeadConfig,
    tokenizer: WordPiece,
) -> None:
    """A single layer of the model, untrained, has the operators of all of them; what it needs is read from the file."""
    small = dataclasses.replace(encoder, layers=1, layer_blocks=())
    made = summarize(Exporter(build_model(small, head), tokenizer, {}).export(export))
    verdicts = {verdict.name: verdict for verdict in made.clients}
    for client in clients:
        verdict = verdicts.get(client.name)
        if verdict is not None and not verdict.can_run:
            raise ClientError(
                f"--require {client.name}: expected precisions that it can run, got {export.precision} "
                f"({verdict.reason}). Do: leave {export.precision} out of --precision, or give --compatible-with "
                f"{client.name} where that is known."
            )
