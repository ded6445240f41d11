"""Leave-one-section-out folds: which section is held out, which ones train."""

from __future__ import annotations

from collections.abc import Iterable

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


def resolve_fold(fold: str | int, present: Iterable[str]) -> tuple[str | None, list[str]]:
    """Turn a fold number or a section name into the held-out section and the training sections.

    Parameters
    ----------
    fold : str or int
        0 to 31 (the published numbering), the name of the section to hold out, such as "C2", or "none": train on
        every section and score nothing.
    present : iterable of str
        Names of the sections at hand. Those outside the published 32 are not used.

    Returns
    -------
    held_out : str or None
    training : list of str
        All other present sections of the 32, in the published order.

    Raises
    ------
    DataError
        If the fold does not exist, its section is absent, or nothing is left to train on.
    """
    at_hand = set(present)
    usable = [name for name in HER2ST_SECTIONS if name in at_hand]
    possible = ", ".join(f"{HER2ST_SECTIONS.index(name)} ({name})" for name in usable) or "none"
    mend = f"Folds possible with the sections at hand: {possible}."
    text = str(fold).strip()
    if text.lower() == "none":
        if not usable:
            raise DataError("None of the 32 sections of the folds is in the data.", "Choose another data folder.")
        return None, usable
    if text.isdecimal():
        if int(text) >= len(HER2ST_SECTIONS):
            raise DataError(f"There is no fold {text}: they are numbered 0 to {len(HER2ST_SECTIONS) - 1}.", mend)
        held_out = HER2ST_SECTIONS[int(text)]
    else:
        held_out = text.upper()
        if held_out not in HER2ST_SECTIONS:
            raise DataError(f"Fold {fold!r} is neither a number nor one of the 32 sections of the folds.", mend)
    if held_out not in at_hand:
        raise DataError(f"Fold {fold} holds out section {held_out}, which is not in the data.", mend)
    training = [name for name in usable if name != held_out]
    if not training:
        raise DataError(
            f"Section {held_out} is the only one at hand, so nothing is left to train on.",
            "Put at least one more section into the data folder.",
        )
    return held_out, training
