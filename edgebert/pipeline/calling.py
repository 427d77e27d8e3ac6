"""The road as one function of plain values: what `edgebert compress` does, for Python."""

import os
from collections.abc import Mapping
from typing import Any

from edgebert.errors import OutputError
from edgebert.files import make_folder
from edgebert.pipeline.config_file import build_config, read_toml
from edgebert.pipeline.outcome import Outcome
from edgebert.pipeline.request import prepare
from edgebert.pipeline.running import compress as run_all
from edgebert.progress import Report, silent
from edgebert.run_directory import RunDirectory


def compress(
    config: str | os.PathLike | Mapping[str, Any] | None = None,
    *,
    report: Report = silent,
    redo_from: str | None = None,
    **settings: Any,
) -> Outcome:
    """Make the files of a run; a finished run is only reported, and an interrupted one goes on.

    >>> edgebert.compress(teacher="minilm", data={"source": "snips"}, run="runs/snips", finetune={"epochs": 1})

    Args:
        config: A TOML file, or what such a file holds.
        report: Hears how far it is.
        redo_from: The stage that is made anew, with all after it.
        settings: Keys and tables that come before those of `config`; `edgebert.pipeline.config` explains each.

    Raises:
        EdgebertError: Whatever a user can mend, in one line.
    """
    layers = [] if config is None else [config if isinstance(config, Mapping) else read_toml(config)]
    chosen = build_config(*layers, settings, source="compress" if layers == [config] else str(config or "compress"))
    if chosen.run is None:
        raise OutputError("run: expected a folder for the run, got none. Do: give run=FOLDER.")
    RunDirectory.check(chosen.run)
    folder = make_folder(chosen.run)
    return run_all(prepare(chosen, folder, report), folder, report, redo_from)
