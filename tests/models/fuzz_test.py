"""Mutated checkpoints: each is loaded or refused with a CheckpointError, in time, without a large allocation.

What we accept, the safetensors library must accept too, and read the same.
"""

import faulthandler
import json
import random
import struct
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import safetensors

from edgebert.config import HeadConfig
from edgebert.errors import CheckpointError
from edgebert.models.checkpoint import load_checkpoint, save_checkpoint
from edgebert.models.families import OWN_FAMILY, family_name, read_encoder_config, write_encoder_config
from edgebert.models.tensor_file import TYPE_BITS, read_tensor_file
from tests.data.house_form import assert_house_form
from tests.models.configs import MOBILE, UNPUBLISHED, values_for
from tests.models.folders import REFERENCE, WEIGHTS, copy_of

SEED = 20240611
# A mutated file of 300 kB may be read, never what its header or config.json claims.
MOST_ALLOCATED_BYTES = 40 * 2**20
MOST_SECONDS_A_CASE = 60
WEIGHTS_COUNTS = [300, pytest.param(4000, marks=pytest.mark.long)]
CONFIG_COUNTS = [150, pytest.param(1000, marks=pytest.mark.long)]
NUMBERS = [0, 1, -1, 2, 3, 7, 47, 49, 255, 2**16, 2**31, 2**32 - 1, 2**63, 2**64, 10**30, 0.5, 1e308, float("nan")]
VALUES = [
    *NUMBERS,
    None,
    True,
    False,
    "",
    "F32",
    "gelu",
    "3",
    [],
    [1],
    [[[]]],
    {},
    {"0": "a"},
    "\ud800",
    "a\nb",
    "x" * 5000,
]


@contextmanager
def no_large_allocation() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < MOST_ALLOCATED_BYTES
    finally:
        tracemalloc.stop()


@contextmanager
def no_hang() -> Iterator[None]:
    """What hangs is ended with the process, every stack shown."""
    faulthandler.dump_traceback_later(MOST_SECONDS_A_CASE, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def split(content: bytes) -> tuple[dict, bytes]:
    (length,) = struct.unpack_from("<Q", content)
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def joined(header: object, data: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def mutate_tree(value: object, chance: random.Random) -> object:
    """The JSON value with one of its parts replaced, removed, renamed or doubled."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        name = chance.choice(list(value))
        action = chance.random()
        if action < 0.1:
            return {key: item for key, item in value.items() if key != name}
        if action < 0.2:
            return {chance.choice([key + "x", key[:-1], "", "__metadata__"]) if key == name else key: item
                    for key, item in value.items()}  # fmt: skip
        return value | {name: mutate_tree(value[name], chance)}
    if isinstance(value, list) and value and chance.random() < 0.9:
        place = chance.randrange(len(value))
        changed = [] if chance.random() < 0.1 else [mutate_tree(value[place], chance)]
        return value[:place] + changed * chance.choice([1, 1, 1, 2]) + value[place + 1 :]
    if isinstance(value, str) and chance.random() < 0.5:
        return chance.choice([*TYPE_BITS, "f32", value + " ", value[1:]])
    return chance.choice(VALUES)


def mutate_bytes(content: bytes, chance: random.Random, region: int) -> bytes:
    """A few bytes of the first `region` changed, put in or taken out."""
    changed = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 8])):
        if not changed:
            break
        place = chance.randrange(min(region, len(changed)))
        action = chance.randrange(4)
        if action == 0:
            changed[place] = chance.randrange(256)
        elif action == 1:
            changed[place] ^= 1 << chance.randrange(8)
        elif action == 2:
            changed[place:place] = chance.choice(
                [b"\0", b'"', b"{", b"[", b"9", b"-", b"\xff", b",", b"null", b"1e999"]
            )
        else:
            del changed[place : place + chance.choice([1, 3, 40])]
    return bytes(changed)


def mutate_file(content: bytes, chance: random.Random) -> bytes:
    header, data = split(content)
    way = chance.randrange(6)
    if way == 0:
        return content[: chance.choice([chance.randrange(20), chance.randrange(len(content))])]
    if way == 1:
        length = chance.choice([0, 1, 8, len(content), 2**31, 2**63, 2**64 - 1, chance.randrange(10**4)])
        return struct.pack("<Q", length) + content[8:]
    if way == 2:
        return mutate_bytes(content, chance, region=len(content) - len(data))
    if way == 3:
        text = json.dumps(header)
        old, new = chance.choice(list(header)[1:]), chance.choice(list(header)[1:])
        return joined(text.replace(f'"{old}"', f'"{new}"').encode(), data)
    if way == 4:
        return joined(header, data + bytes(chance.randrange(9))) if chance.random() < 0.5 else joined(header, data[:-4])
    for _ in range(chance.choice([1, 1, 3])):
        header = mutate_tree(header, chance)
    return joined(header, data)


def outcome_of(folder: Path, seed: int) -> str:
    """What became of a folder; any other exception than a refusal is the failure looked for."""
    try:
        with no_hang():
            load_checkpoint(folder)
    except CheckpointError as error:
        assert_house_form(str(error))
        assert str(error).isprintable() and len(str(error)) < len(str(folder)) + 900, seed
        return str(error).replace(str(folder), "").split(":")[1][:25]
    return "loaded"


@pytest.mark.parametrize("count", WEIGHTS_COUNTS)
def test_mutated_weights_are_loaded_or_refused(count: int, tmp_path: Path) -> None:
    folder = copy_of("bert_legacy_names", tmp_path)
    path = folder / WEIGHTS
    original = path.read_bytes()
    outcomes = Counter()
    with no_large_allocation():
        for seed in range(SEED, SEED + count):
            content = mutate_file(original, random.Random(seed))
            path.unlink()
            path.write_bytes(content)
            outcomes[outcome_of(folder, seed)] += 1
            compare_with_the_library(path, content, seed)
    # The mutations reach beyond the first check, and some do no harm.
    assert len(outcomes) > 10 and outcomes["loaded"] > 0, outcomes


def compare_with_the_library(path: Path, content: bytes, seed: int) -> None:
    try:
        ours = read_tensor_file(path).tensors
    except CheckpointError:
        return
    theirs = dict(safetensors.deserialize(content))
    assert ours.keys() == theirs.keys(), seed
    for name, tensor in ours.items():
        entry = theirs[name]
        assert (tensor.type_name, list(tensor.shape), bytes(tensor.data)) == (
            entry["dtype"],
            list(entry["shape"]),
            bytes(entry["data"]),
        ), seed


CONFIGS = ("bert", "distilbert", "albert_groups", "mobilebert", OWN_FAMILY)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("count", CONFIG_COUNTS)
def test_mutated_configs_are_loaded_or_refused(name: str, count: int, tmp_path: Path) -> None:
    folder = copy_of(name, tmp_path) if name != OWN_FAMILY else own_folder(tmp_path)
    path = folder / "config.json"
    original = json.loads(path.read_text())
    outcomes = Counter()
    with no_large_allocation():
        for seed in range(SEED, SEED + count):
            chance = random.Random(seed)
            text = json.dumps(mutate_tree(original, chance))
            if chance.random() < 0.2:
                text = mutate_bytes(text.encode(), chance, region=len(text)).decode("latin-1")
            path.write_text(text, encoding=chance.choice(["utf-8", "utf-8", "latin-1"]))
            outcomes[outcome_of(folder, seed)] += 1
    assert len(outcomes) > 10 and outcomes["loaded"] > 0, outcomes


def own_folder(folder: Path) -> Path:
    head = HeadConfig(kind="classification", pooling="mean", labels=("b", "a"))
    config = UNPUBLISHED["a bottleneck with norms"]
    assert save_checkpoint(folder, values_for(config, head), config, head).family == OWN_FAMILY
    return folder


@pytest.mark.parametrize("name", CONFIGS)
def test_a_mutated_config_that_is_read_is_written_and_read_again(name: str) -> None:
    original = write_encoder_config(MOBILE, OWN_FAMILY, {})
    if name != OWN_FAMILY:
        original = json.loads((REFERENCE / name / "config.json").read_text())
    read = 0
    with no_large_allocation():
        for seed in range(SEED, SEED + 300):
            raw = mutate_tree(original, random.Random(seed))
            try:
                family = family_name(raw, "config.json") if isinstance(raw, dict) else None
                config = read_encoder_config(raw, family, True, "config.json") if family else None
            except CheckpointError:
                continue
            if config is not None:
                written = json.loads(json.dumps(write_encoder_config(config, family, raw)))
                assert read_encoder_config(written, family, config.pooler, "config.json") == config, seed
                read += 1
    assert read
