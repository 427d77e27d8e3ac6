"""What a board may need: our worker's modules, LiteRT and numpy, the models; each known by its SHA-256."""

import ast
import hashlib
import importlib.util
import io
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgebert.benchmark.wheels import WheelTarget, download_wheels, installed_releases
from edgebert.cache import cache_folder, locked
from edgebert.errors import OutputError
from edgebert.files import make_folder, sha256_of_file
from edgebert.measurement import ModelFile

WORKER = "edgebert.benchmark.worker"
_PACKAGE = "edgebert"
_CHUNK_BYTES = 1 << 20
# In the place of the package's own, which asks for the whole toolchain's Python, and knows ways to all modules.
_BOARD_INIT = b'"""What a worker needs of edgebert."""\n'
# The earliest that a zip can say: two zips of the same files are the same bytes.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Payload:
    """`name` is its place in the board's cache: a file, or what a zip holds. `title` is for people."""

    title: str
    name: str
    sha256: str
    size_bytes: int
    # On the board, while it is being unpacked.
    room_bytes: int
    is_zip: bool
    source: Path | bytes

    def parts(self) -> Iterator[bytes]:
        if isinstance(self.source, bytes):
            yield self.source
            return
        with self.source.open("rb") as file:
            left = self.size_bytes
            # As many bytes as were announced, should the file be growing; the hash tells whether they are right.
            while left and (part := file.read(min(left, _CHUNK_BYTES))):
                left -= len(part)
                yield part
        while left:
            part = bytes(min(left, _CHUNK_BYTES))
            left -= len(part)
            yield part


def model_payload(path: Path, model: ModelFile) -> Payload:
    return Payload(
        title=model.name,
        name=f"models/{model.sha256}.tflite",
        sha256=model.sha256,
        size_bytes=model.size_bytes,
        room_bytes=model.size_bytes,
        is_zip=False,
        source=path,
    )


def worker_payload() -> Payload:
    """The modules that the worker imports, from wherever this package lies."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(zipfile.ZipInfo(f"{_PACKAGE}/__init__.py", _NO_TIME), _BOARD_INIT)
        for module, path in sorted(modules_of(WORKER).items()):
            name = Path(*module.split("."))
            inside = name / "__init__.py" if path.name == "__init__.py" else name.with_suffix(".py")
            archive.writestr(zipfile.ZipInfo(str(inside), _NO_TIME), path.read_bytes())
    packed = content.getvalue()
    return _zip_payload("edgebert's worker", packed, hashlib.sha256(packed).hexdigest(), len(packed))


def wheel_payload(path: Path) -> Payload:
    name, version = path.name.split("-")[:2]
    return _zip_payload(f"{name} {version}", path, sha256_of_file(path), path.stat().st_size)


def fetch_wheels(target: WheelTarget, subject: str) -> tuple[Path, ...]:
    """LiteRT and numpy for `target`, in the releases of this environment; fetched once and kept in the cache."""
    requirements = installed_releases(subject)
    python = f"{target.machine}-python{target.python_version}-glibc2.{target.glibc_minor}"
    folder = make_folder(cache_folder() / "wheels") / "-".join([python, *requirements])
    with locked(folder.parent / ".lock"):
        if not folder.exists():
            try:
                with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder.parent) as partial:
                    download_wheels(subject, target, requirements, Path(partial, "wheels"))
                    Path(partial, "wheels").rename(folder)
            except OSError as error:
                raise OutputError(
                    f"{folder.parent}: expected a folder with 50 MB to spare, got '{error.strerror or error}'. "
                    "Do: make room or set EDGEBERT_CACHE to another one."
                ) from error
    return tuple(sorted(folder.glob("*.whl")))


def modules_of(name: str) -> dict[str, Path]:
    """The modules of this package below it that importing `name` can come to, late imports included; their files."""
    found: dict[str, Path] = {}
    ahead = [name]
    while ahead:
        module = ahead.pop()
        path = None if module in found else _source_of(module)
        if path is None:
            continue
        found[module] = path
        ahead.append(module.rpartition(".")[0])
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                ahead += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                # What is imported from a package may be a module of it.
                ahead += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def _source_of(module: str) -> Path | None:
    """The file of a module below this package; None for any other name."""
    if not module.startswith(f"{_PACKAGE}."):
        return None
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        # A function of a module, taken for a module of a package.
        return None
    return None if spec is None else Path(spec.origin)


def _zip_payload(title: str, source: Path | bytes, sha256: str, size_bytes: int) -> Payload:
    with zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source) as archive:
        unpacked_bytes = sum(entry.file_size for entry in archive.infolist())
    return Payload(
        title=title,
        name=f"trees/{sha256}",
        sha256=sha256,
        size_bytes=size_bytes,
        room_bytes=size_bytes + unpacked_bytes,
        is_zip=True,
        source=source,
    )
