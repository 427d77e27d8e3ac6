"""Every file in every client that is installed: who answers as we do, and who is required to."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgebert.errors import ClientError
from edgebert.export.clients.environments import environment
from edgebert.export.clients.judging import judge
from edgebert.export.clients.registry import CLIENTS, Client
from edgebert.export.clients.verification import verify
from edgebert.pipeline.config import VerifyConfig
from edgebert.pipeline.reading import spread_texts
from edgebert.pipeline.request import Request
from edgebert.pipeline.scoring import hashes_of
from edgebert.pipeline.stages import VERIFY
from edgebert.progress import Report
from edgebert.run_directory import RunDirectory


def verification_inputs(request: Request, files: dict[str, Path]) -> dict[str, Any]:
    config = request.config.verify
    return {
        "files": hashes_of(files),
        "texts": spread_texts(request.dev, config.texts),
        # Clients may have been installed or updated meanwhile.
        "clients": {one.name: [environment(one).state, environment(one).version] for one in chosen_clients(config)},
        "required": config.required,
    }


def verify_files(run: RunDirectory, request: Request, files: dict[str, Path], report: Report) -> dict[str, Any]:
    """By file what became of it in each client (`clients`), and what is wrong with a file that had to pass
    (`problems`)."""
    config = request.config.verify
    clients, texts = chosen_clients(config), spread_texts(request.dev, config.texts)
    stage = run.stage(VERIFY, verification_inputs(request, files))
    if not stage.finished:
        result: dict[str, dict[str, Any]] = {"clients": {}, "reasons": {}, "problems": {}}
        for name, path in files.items():
            verification = verify(path, texts, clients=clients, report=report)
            result["clients"][name] = {each.client.name: each.status for each in verification.reports}
            result["reasons"][name] = {each.client.name: each.reason for each in verification.reports if each.reason}
            if config.required and must_pass(name, request):
                result["problems"][name] = list(judge(verification, config.required).problems)
        stage.finish(result)
    return stage.result


def must_pass(name: str, request: Request) -> bool:
    """The models before the last are there to compare with and go on no phone."""
    return name.startswith(f"{request.config.last_model}-")


def chosen_clients(config: VerifyConfig) -> Sequence[Client]:
    known = [client.name for client in CLIENTS]
    for name in (*(config.clients or ()), *config.required):
        if name not in known:
            raise ClientError(f"verify clients: expected {', '.join(known)}, got {name!r}. Do: choose out of these.")
    wanted = {*(config.clients or known), *config.required}
    return [client for client in CLIENTS if client.name in wanted]
