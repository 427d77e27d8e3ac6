"""Small labelled files and a tiny checkpoint, for the tests of commands that train."""

import json
import random
from pathlib import Path

from edgebert.cli import main
from tests.data.house_form import assert_house_form
from tests.models.folders import change_config, change_tensors, config_of, copy_of, tensors_of

# Fifteen training steps, after which a golden checkpoint knows most of it.
SMALL = ["--batch-size", "8", "--epochs", "3", "--learning-rate", "1e-2"]
WORDS = ("the", "cat", "dog", "sat", "on", "red", "blue", "a", "of", "and")


def write_examples(path: Path, count: int, seed: int = 0) -> Path:
    """The label is whether the text begins with "good"; all words are in the golden vocabulary or cut into pieces."""
    draw = random.Random(seed)
    lines = ["text,label"]
    for number in range(count):
        words = draw.choices(WORDS, k=draw.randint(2, 9))
        if number % 2:
            words[0] = "good"
        lines.append(f"{' '.join(words)},{('bad', 'fine')[number % 2]}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def files_of(folder: Path) -> list[str]:
    """The flags for a training and a dev file."""
    train, dev = folder / "train.csv", folder / "dev.csv"
    if not train.exists():
        write_examples(train, 40, seed=1)
        write_examples(dev, 16, seed=2)
    return ["--train", str(train), "--dev", str(dev)]


def encoder(folder: Path, layers: int = 3, case: str = "bert") -> Path:
    """A golden checkpoint with the layers that a test needs: a step with one is traced twice as fast as with three."""
    copied = copy_of(case, folder)
    gone = {f"bert.encoder.layer.{number}." for number in range(layers, config_of(copied)["num_hidden_layers"])}
    if gone:
        change_config(copied, {"num_hidden_layers": layers})
        change_tensors(copied, without=tuple(name for name in tensors_of(copied) if name.startswith(tuple(gone))))
    return copied


def answer(capsys, *arguments: object) -> dict:
    """What the command prints with --json."""
    assert main([*map(str, arguments), "--json", "--quiet"]) == 0
    return json.loads(capsys.readouterr().out)


def refusal(capsys, *arguments: object) -> str:
    """What it says on one line of stderr where it refuses, with nothing on stdout."""
    assert main([*map(str, arguments), "--quiet"]) == 2
    shown = capsys.readouterr()
    error = shown.err.splitlines()[-1]
    assert_house_form(error)
    assert not shown.out
    return error
