"""A trimming's plan and result, as text for a person and as JSON for a program."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgebert.cli.output import counted, table
from edgebert.compression.vocabulary.measuring import Effect
from edgebert.stations.file_comparison import FileComparison
from edgebert.stations.trimming import TrimmedCheckpoint, TrimRequest, parameters_after


def plan_as_text(request: TrimRequest) -> str:
    return "\n".join([*_facts(request), "", effects_as_text(request.effects)])


def plan_as_json(request: TrimRequest) -> dict[str, Any]:
    return {
        "model": str(request.checkpoint.source),
        "corpus": {"names": list(request.corpus.names), "pieces": request.corpus.pieces},
        **_kept(request),
        "parameters_before": request.parameters_before,
        "parameters_after": parameters_after(request),
        "held_out": [effect.to_json() for effect in request.effects],
    }


def result_as_text(request: TrimRequest, done: TrimmedCheckpoint) -> str:
    parts = [*_facts(request), "", effects_as_text(done.effects)]
    if done.files is not None:
        parts += ["", files_as_text(done.files)]
    return "\n".join(parts)


def result_as_json(folder: Path, request: TrimRequest, done: TrimmedCheckpoint) -> dict[str, Any]:
    return {"folder": str(folder), "found": done.found, **_kept(request), **done.to_json()}


def effects_as_text(effects: Sequence[Effect]) -> str:
    if not effects:
        return "no text was held out: what becomes of unseen text is not known"
    header = ("held-out text", "texts", "words", "pieces a word", "after", "unknown words", "after", "texts cut anew")
    rows = [
        (
            effect.source,
            f"{effect.texts:,}",
            f"{effect.words:,}",
            *(f"{value:.3f}" for value in effect.pieces_per_word),
            *(f"{value:.2%}" for value in effect.unknown_share),
            f"{effect.changed_share:.1%}",
        )
        for effect in effects
    ]
    return table(header, rows)


def files_as_text(files: FileComparison) -> str:
    header = [f"{files.precision} file", "bytes", "gzipped"]
    sides = (("before", files.before), ("after", files.after))
    rows: list[list[object]] = [[name, f"{one.size_bytes:,}", f"{one.gzipped_bytes:,}"] for name, one in sides]
    if files.metric is not None:
        header.append(f"dev {files.metric}")
        for row, (_, one) in zip(rows, sides, strict=True):
            row.append(f"{100 * one.dev_score:.2f}")
    told = table(header, rows)
    return told if files.agreement is None else f"{told}\nboth answer alike: {files.agreement:.2%}"


def _facts(request: TrimRequest) -> list[str]:
    kept, before, after = request.kept, request.parameters_before, parameters_after(request)
    reasons = ", ".join(
        f"{count:,} {name}"
        for count, name in (
            (kept.special, "special tokens"),
            (kept.characters, "single characters"),
            (kept.held, "with a character of their own"),
            (kept.corpus, "of the corpus"),
            (kept.further, "others by the vocabulary's order"),
        )
        if count
    )
    pieces = len(request.tokenizer.vocabulary)
    lines = [
        f"model       {request.checkpoint.source}",
        f"pieces      {len(kept.ids):,} of {pieces:,} kept: {reasons}",
        f"parameters  {after:,} of {before:,}, {before - after:,} fewer",
    ]
    padding = request.rows_before - pieces
    return (
        [*lines, f"padding     {counted(padding, 'row')} of the table without a piece, left out"] if padding else lines
    )


def _kept(request: TrimRequest) -> dict[str, Any]:
    kept = request.kept
    return {
        "pieces": {
            "before": len(request.tokenizer.vocabulary),
            "kept": len(kept.ids),
            "special": kept.special,
            "characters": kept.characters,
            "held": kept.held,
            "corpus": kept.corpus,
            "further": kept.further,
        },
        "is_complete": kept.is_complete,
    }
