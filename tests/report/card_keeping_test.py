"""A card that a person was at: what was filled in goes along with fresh figures, and other words are never lost."""

import shutil
from pathlib import Path

import pytest

from edgebert.report.card import CARD_FILE
from edgebert.report.card_keeping import FIELDS, TO_FILL, marked, open_field, renewed_card, was_edited
from edgebert.report.writing import write_report

_FILLED = {name: f"what\\1 {name.split()[-1]} is: `a`" for name in FIELDS}


def card(figure: str, fields=FIELDS) -> str:
    return marked("\n".join([f"score {figure}", *map(open_field, fields), "last line", ""]))


def filled(text: str, values=_FILLED) -> str:
    for name, value in values.items():
        assert open_field(name) in text
        text = text.replace(open_field(name), f"{name}: {value}")
    return text


def test_fresh_figures_come_with_what_was_filled_in_however_often() -> None:
    kept = filled(card("1"))
    for figure in ("2", "3"):
        kept = renewed_card(kept, card(figure))
        assert kept == filled(card(figure))
    assert TO_FILL not in kept and not was_edited(kept)
    # Opened again, or emptied.
    some = {"license": "mit", "- Contact": ""}
    assert renewed_card(filled(card("1"), some), card("2")) == filled(card("2"), some).replace(
        "Contact: \n", "Contact:\n"
    )


@pytest.mark.parametrize("change", [str.rstrip, lambda text: f"{text}\n\n"])
def test_the_end_that_an_editor_makes_is_no_edit(change) -> None:
    assert renewed_card(change(filled(card("1"))), card("2")) == filled(card("2"))


@pytest.mark.parametrize(
    "edited",
    [
        "my own\n",
        "",
        filled(card("1")).replace("score 1", "score 9"),
        filled(card("1")).replace("last line", "last line\n- Contact: another"),
        filled(card("1")).replace("- Intended use", "- Use"),
        f"{filled(card('1'))}and a word behind it\n",
    ],
)
def test_a_card_with_other_words_stays_unless_it_is_to_be_replaced(edited: str) -> None:
    assert was_edited(edited)
    assert renewed_card(edited, card("2")) is None
    replaced = renewed_card(edited, card("2"), replace=True)
    assert replaced.startswith("score 2\n") and not was_edited(replaced)
    for name in FIELDS:
        # Of a name that is there twice the first.
        expected = f"{name}: {_FILLED[name]}" if f"{name}: {_FILLED[name]}" in edited else open_field(name)
        assert f"\n{expected}\n" in replaced


def test_a_value_that_the_fresh_card_has_no_place_for_is_not_lost() -> None:
    fresh = card("2", FIELDS[:-1])
    assert renewed_card(filled(card("1")), fresh) is None
    assert renewed_card(filled(card("1"), {"license": "mit"}), fresh) == filled(fresh, {"license": "mit"})


def test_the_report_writes_figures_anew_and_keeps_a_persons_words(run_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(run_folder, tmp_path / "tiny"))
    path = folder / CARD_FILE
    written = write_report([folder])
    assert not written.card_kept and written.remarks == () and path in written.paths
    first = path.read_text()
    path.write_text(filled(first))
    shutil.rmtree(folder / "benchmark")
    again = write_report([folder])
    second = path.read_text()
    assert not again.card_kept and path in again.paths
    assert second.count("not measured") > first.count("not measured")
    assert all(f"\n{name}: {value}\n" in second for name, value in _FILLED.items())
    path.write_text(f"{second}\nA word of mine.\n")
    kept = write_report([folder])
    assert kept.card_kept and path not in kept.paths and path.read_text() == f"{second}\nA word of mine.\n"
    assert len(kept.remarks) == 1 and f"edgebert report {folder} --replace-card" in kept.remarks[0]
    assert not write_report([folder], replace_card=True).card_kept
    assert path.read_text() == second
