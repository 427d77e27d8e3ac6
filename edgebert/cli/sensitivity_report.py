"""Tables of `edgebert sensitivity`: what each part costs alone, which tensors are least exact, what was chosen."""

from collections.abc import Iterator, Sequence

from edgebert.cli.output import counted, table
from edgebert.export.sensitivity.result import (
    BY_BLOCK,
    BY_CLASS,
    BY_PART,
    Choice,
    GroupHarm,
    Sensitivity,
    Verdict,
    points_lost,
    value_of,
)

_HEADINGS = {
    BY_CLASS: "one class of parts quantised, all else float32",
    BY_BLOCK: "one block quantised",
    BY_PART: "one part quantised",
}


def as_text(found: Sensitivity, top: int) -> str:
    parts = [_head(found)]
    if found.choice is not None:
        parts += [_choice(found.choice, found.metric)]
    for by, heading in _HEADINGS.items():
        harms = [harm for harm in found.groups if harm.by == by]
        if harms:
            parts.append(f"{heading}\n\n{_groups(harms, _reference(found), found.metric)}")
    if top:
        parts.append(_tensors(found, top))
    parts += list(_unmapped(found))
    return "\n\n".join(parts)


def _reference(found: Sensitivity) -> Verdict:
    return found.float32 if found.choice is None else found.choice.selection_float32


def _head(found: Sensitivity) -> str:
    rows = [
        (name, *_cells(verdict, found.float32))
        for name, verdict in (("float32", found.float32), (found.scheme, found.whole))
    ]
    asked = f"{counted(found.whole.texts, 'text')} of {found.texts_source}"
    ranges = (
        f", ranges from {found.calibration_texts:,} of {found.calibration_source}" if found.calibration_source else ""
    )
    return f"{found.checkpoint}: {asked}{ranges}\n\n{table(_header('file', found.metric), rows)}"


def _header(first: str, metric: str) -> tuple[str, ...]:
    return (first, metric, "points lost", "agreement", "distance")


def _cells(verdict: Verdict, reference: Verdict) -> tuple[str, ...]:
    return (
        f"{value_of(verdict):.4f}",
        f"{points_lost(verdict, reference):.2f}",
        f"{verdict.agreement:.4f}",
        f"{verdict.distance:.5f}",
    )


def _groups(harms: Sequence[GroupHarm], reference: Verdict, metric: str) -> str:
    """The most harmful first."""
    rows = [
        (harm.group, harm.treatment, len(harm.parts), *_cells(harm.verdict, reference))
        for harm in sorted(harms, key=lambda harm: -harm.verdict.distance)
    ]
    first, *others = _header("quantised", metric)
    return table((first, "as", "parts", *others), rows)


def _tensors(found: Sensitivity, top: int) -> str:
    # No error sorts last.
    worst = sorted(found.tensors, key=lambda each: float("inf") if each.sqnr_db is None else each.sqnr_db)
    rows = [
        (each.name, each.role, each.dtype, _decibels(each.sqnr_db), _own(each), f"{each.cosine:.6f}")
        for each in worst[:top]
    ]
    heading = (
        f"the {min(top, len(worst))} least exact of {counted(len(worst), 'tensor')}, on "
        f"{counted(found.tensor_texts, 'text')}; own: by its own rounding alone"
    )
    return f"{heading}\n\n{table(('tensor', 'role', 'type', 'SQNR dB', 'own dB', 'cosine'), rows)}"


def _own(each) -> str:
    return _decibels(each.own_sqnr_db) if each.is_rounded else "-"


def _decibels(value: float | None) -> str:
    return "exact" if value is None else f"{value:.1f}"


def _unmapped(found: Sensitivity) -> Iterator[str]:
    if found.unmapped:
        lines = [f"  {each.name}: {each.reason}" for each in found.unmapped]
        yield "\n".join([f"not compared, {counted(len(lines), 'tensor')}:", *lines])


def _choice(choice: Choice, metric: str) -> str:
    first = table(
        ("file", f"{metric}, chosen on", "points lost", f"{metric}, held out", "points lost"),
        [
            (
                name,
                f"{value_of(selection):.4f}",
                f"{points_lost(selection, choice.selection_float32):.2f}",
                f"{value_of(held_out):.4f}",
                f"{points_lost(held_out, choice.held_out_float32):.2f}",
            )
            for name, selection, held_out in (
                ("float32", choice.selection_float32, choice.held_out_float32),
                ("static", choice.selection_static, choice.held_out_static),
                ("mixed", choice.selection, choice.held_out),
            )
        ],
    )
    lines = [first, "", _moved(choice)]
    lines.append(
        f"chosen on {counted(choice.selection.texts, 'text')} among {counted(choice.tried, 'file')}, judged on "
        f"{choice.held_out.texts:,} others; at most {choice.most_points:g} points may be lost"
    )
    return "\n".join(lines)


def _moved(choice: Choice) -> str:
    back = {part: name for part, name in choice.treatments.items() if not name.startswith("int")}
    if not back:
        return f"all {len(choice.treatments)} parts are int8: nothing had to be moved back"
    listed = ", ".join(f"{part} ({name})" for part, name in back.items())
    return f"{len(back)} of {len(choice.treatments)} parts moved back: {listed}"
