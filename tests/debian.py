"""Programs of Debian that tests need and this machine may not have: fetched by apt, unpacked, installed nowhere.

They are kept in the cache folder, so that a machine fetches each once; no root is needed.
"""

import shutil
import tempfile
from pathlib import Path

from edgebert.benchmark.emulated.packages import download_packages, unpack_packages
from edgebert.cache import cache_folder
from edgebert.errors import MeasurementError


def unpacked(name: str, packages: tuple[str, ...]) -> Path:
    """The tree that holds `packages` with all that they depend on."""
    if shutil.which("apt-get") is None:
        raise MeasurementError(f"{name}: expected apt-get to fetch it with, got none")
    folder = cache_folder() / name
    if not (folder / "tree").exists():
        _fetch(folder, packages)
    return folder / "tree"


def library_path(tree: Path) -> str:
    """What LD_LIBRARY_PATH must be for the tree's programs."""
    return ":".join(sorted({str(path.parent) for path in tree.rglob("*.so*")}))


def _fetch(folder: Path, packages: tuple[str, ...]) -> None:
    """All of it, or nothing."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}") as temporary:
        place = Path(temporary)
        unpack_packages(download_packages("amd64", packages, place, None), place / "tree")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (place / "tree").rename(folder / "tree")
