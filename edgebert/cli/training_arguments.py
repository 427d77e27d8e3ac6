"""The flags of a training run, the same for every command that trains."""

import argparse
from typing import Any

from edgebert.training.settings import ARITHMETIC_CHOICES, CheckpointSettings, TrainingSettings


def add_training_arguments(parser: argparse.ArgumentParser) -> "argparse._ArgumentGroup":
    """All but epochs and learning rate, which a command with several steps takes for each."""
    group = parser.add_argument_group("training")
    group.add_argument("--batch-size", type=int, default=32, metavar="N", help="(default: 32)")
    group.add_argument(
        "--warmup",
        type=float,
        default=0.1,
        metavar="SHARE",
        help="share of all steps over which the learning rate rises (default: 0.1)",
    )
    group.add_argument("--weight-decay", type=float, default=0.01, metavar="X", help="(default: 0.01)")
    group.add_argument(
        "--averaging",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="keep a running average of the weights in which the past has this share, such as 0.999 (default: 0, the "
        "weights themselves)",
    )
    group.add_argument("--seed", type=int, default=0, help="(default: 0)")
    group.add_argument(
        "--arithmetic",
        choices=ARITHMETIC_CHOICES,
        default="float32",
        help="of matrix products; bfloat16 makes training a quarter faster where the processor has it (default: "
        "float32)",
    )
    group.add_argument(
        "--length", type=int, metavar="N", help="tokens of a text that are kept (default: 128, or all that fit)"
    )
    group.add_argument(
        "--save-every",
        type=float,
        default=300.0,
        metavar="SECONDS",
        help="how much work a kill may cost (default: 300); each epoch's end is kept besides",
    )
    return group


def add_result_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--force", action="store_true", help="replace what --output holds of other inputs")
    parser.add_argument("--allow-download", action="store_true", help="fetch a hub id that is not in the local cache")
    parser.add_argument("--json", action="store_true", help="print the result as JSON instead of a table")
    parser.add_argument("--quiet", action="store_true", help="no progress")


def checkpoint_settings(arguments: argparse.Namespace) -> CheckpointSettings:
    return CheckpointSettings(every_seconds=arguments.save_every, curves=True)


def training_settings(arguments: argparse.Namespace, **own: Any) -> TrainingSettings:
    """What every training has flags for; `own` is what a command says of itself."""
    return TrainingSettings(
        batch_size=arguments.batch_size,
        warmup_share=arguments.warmup,
        weight_decay=arguments.weight_decay,
        averaging=arguments.averaging,
        seed=arguments.seed,
        arithmetic=arguments.arithmetic,
        **own,
    )
