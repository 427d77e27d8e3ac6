"""What clients can be expected to do, and whether those that a user requires can ever agree: said before an hour is
spent on files for them."""

from edgebert.errors import ClientError
from edgebert.export.clients.environments import INSTALLED, environment
from edgebert.export.clients.registry import CLIENTS, Client
from edgebert.export.convert import ExportRequest
from edgebert.export.generations import GENERATIONS
from edgebert.export.precisions import PRECISIONS
from edgebert.export.versions import Runtime
from edgebert.pipeline.request import Request
from edgebert.pipeline.verifying import chosen_clients

# What of a client's runtime is recorded; of the others it is found out by running them.
RUNTIMES = {generation.name: generation.runtime for generation in GENERATIONS}


def check_required_clients(request: Request) -> None:
    # Refuses names that are none.
    chosen_clients(request.config.verify)
    for client in CLIENTS:
        if client.name in request.config.verify.required:
            _check_there(client, request)
            for export in request.exports[request.config.last_model]:
                _check_precision(client, export)


def notes_on_clients(request: Request) -> tuple[str, ...]:
    """Of those that are not required: which cannot run, and what they are known to refuse."""
    found = []
    for client in chosen_clients(request.config.verify):
        state = environment(client).state
        refused = [one.precision for one in request.exports[request.config.last_model] if _is_too_new(client, one)]
        if state != INSTALLED:
            found.append(f"{client.name}: {state}, so files are not run in it; {client.how_to_install}")
        elif refused:
            found.append(f"{client.name}: refuses {', '.join(refused)}, which need more than its runtime")
    return tuple(found)


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


def _check_precision(client: Client, export: ExportRequest) -> None:
    if _is_too_new(client, export):
        raise ClientError(
            f"--require {client.name}: expected precisions that its runtime {RUNTIMES[client.name]} can run, got "
            f"{export.precision}, which needs {_runtime(export)}. Do: leave it out of --precision, or give "
            f"--compatible-with {client.name} where that helps."
        )


def _is_too_new(client: Client, export: ExportRequest) -> bool:
    return client.name in RUNTIMES and RUNTIMES[client.name] < _runtime(export)


def _runtime(export: ExportRequest) -> Runtime:
    precision = PRECISIONS[export.precision]
    return Runtime.parse((export.per_tensor and precision.runtime_per_tensor) or precision.runtime)
