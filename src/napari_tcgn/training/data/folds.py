"""Folds that leave out a section or a patient: what is held out, what trains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from napari_tcgn.errors import DataError

# The 32 sections of the HER2+ study that the published folds use, in the published order
# (sorted names without A1 and H1 to H3): fold number = position in this list.
HER2ST_SECTIONS: tuple[str, ...] = tuple(
    f"{patient}{number}"
    for patient, numbers in {
        "A": range(2, 7),
        "B": range(1, 7),
        "C": range(1, 7),
        "D": range(1, 7),
        "E": range(1, 4),
        "F": range(1, 4),
        "G": range(1, 4),
    }.items()
    for number in numbers
)


def patient_of(section: str) -> str:
    """Return the patient of a section by its name: "C" of "C2"."""
    return section.rstrip("0123456789") or section


def resolve_fold(
    fold: str | int, present: Iterable[str], patients: Mapping[str, str] | None = None
) -> tuple[list[str], list[str]]:
    """Turn a fold number, a section or a patient into the held-out sections and the training sections.

    Parameters
    ----------
    fold : str or int
        0 to 31 (the published numbering), the name of the section to hold out, such as "C2", a patient whose
        sections are all held out, such as "C", or "none": train on every section and score nothing.
    present : iterable of str
        Names of the sections at hand. Those outside the published 32 are not used, unless `patients` is given.
    patients : mapping of str to str, optional
        Patient of every section of one's own data; folds are then numbered by the order of `present`.

    Returns
    -------
    held_out : list of str
        In the published order; empty for "none".
    training : list of str
        All other present sections of the 32, in the published order.

    Raises
    ------
    DataError
        If the fold does not exist, its section is absent, or nothing is left to train on.
    """
    names = list(present)
    order = tuple(names) if patients is not None else HER2ST_SECTIONS
    of = dict(patients) if patients is not None else {name: patient_of(name) for name in order}
    at_hand = set(names)
    usable = [name for name in order if name in at_hand]
    possible = ", ".join(f"{order.index(name)} ({name})" for name in usable) or "none"
    hint = f"Folds possible with the sections at hand: {possible}."
    text = str(fold).strip()
    if text.lower() == "none":
        if not usable:
            raise DataError("None of the 32 sections of the folds is in the data.", "Choose another data folder.")
        return [], usable
    same_name = [name for name in order if name.lower() == text.lower()]
    of_patient = [name for name in order if of[name].lower() == text.lower()]
    if same_name:
        held_out = same_name[0]
    elif of_patient:
        return _hold_out([name for name in usable if name in of_patient], usable, f"patient {of[of_patient[0]]}", hint)
    elif text.isdecimal():
        if int(text) >= len(order):
            raise DataError(f"There is no fold {text}: they are numbered 0 to {len(order) - 1}.", hint)
        held_out = order[int(text)]
    else:
        raise DataError(f"Fold {fold!r} is neither a number nor a section nor a patient of the data.", hint)
    if held_out not in at_hand:
        raise DataError(f"Fold {fold} holds out section {held_out}, which is not in the data.", hint)
    return _hold_out([held_out], usable, f"section {held_out}", hint)


def _hold_out(held_out: list[str], usable: Sequence[str], what: str, hint: str) -> tuple[list[str], list[str]]:
    if not held_out:
        raise DataError(f"No section of {what} is in the data.", hint)
    training = [name for name in usable if name not in held_out]
    if not training:
        raise DataError(
            f"The data holds nothing but {what}, so nothing is left to train on.",
            "Put at least one more section into the data folder.",
        )
    return held_out, training


def fold_name(held_out: Sequence[str], patients: Mapping[str, str] | None = None) -> str:
    """Return a short name for what is held out: a section, a patient, or "none"."""
    if not held_out:
        return "none"
    first = held_out[0]
    return first if len(held_out) == 1 else (patients[first] if patients is not None else patient_of(first))
