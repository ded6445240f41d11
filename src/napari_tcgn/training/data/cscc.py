"""The sections of cutaneous squamous cell carcinoma of GSE144240, under the names of the public archive.

GSE144240_RAW.tar holds, per section, a count table, a spot table and an image:
GSM4284316_P2_ST_rep1_stdata.tsv.gz, GSM4284316_spot_data-selection-P2_ST_rep1.tsv.gz and GSM4284316_P2_ST_rep1.jpg.gz.
They are read as they are, unpacked or not, with the accession in front or without it. Patients are P2, P5, P9 and P10,
each with three replicates; other files of the archive are left alone.
"""

from __future__ import annotations

import re
from pathlib import Path

from napari_tcgn.errors import DataError
from napari_tcgn.training.data.section import SectionFiles, Study

SECTION = r"(P\d+_ST_rep\d+)"
KINDS = {
    "count table (…_stdata.tsv.gz)": re.compile(rf"(?:GSM\d+_)?{SECTION}_stdata\.tsv(?:\.gz)?"),
    "spot table (spot_data-selection-….tsv.gz)": re.compile(
        rf"(?:GSM\d+_)?spot_data-selection-{SECTION}\.tsv(?:\.gz)?"
    ),
    "image (….jpg.gz)": re.compile(rf"(?:GSM\d+_)?{SECTION}\.(?:jpe?g|png|tiff?)(?:\.gz)?", re.IGNORECASE),
}

# From spot to spot: the arrays of 1,007 spots, and the later ones of 1,934. The files do not say which they are of.
PITCHES_UM = (200.0, 150.0)


def is_cscc(folder: Path) -> bool:
    """Whether a folder holds count tables under the names of GSE144240."""
    counts = next(iter(KINDS.values()))
    return folder.is_dir() and any(counts.fullmatch(path.name) for path in folder.iterdir())


def read_cscc(folder: Path) -> list[SectionFiles]:
    """List the sections of a folder with files of GSE144240: by patient, then by replicate.

    Raises
    ------
    DataError
        If a section with counts lacks its spot table or its image, or has one twice.
    """
    found: dict[str, dict[str, list[Path]]] = {kind: {} for kind in KINDS}
    for path in sorted(folder.iterdir()):
        for kind, pattern in KINDS.items():
            if match := pattern.fullmatch(path.name):
                found[kind].setdefault(match[1], []).append(path)
    (counts_kind, spots_kind, image_kind), problems = tuple(KINDS), []
    for name in found[counts_kind]:
        for kind, of_section in found.items():
            files = _unpacked_first(of_section.get(name, []))
            of_section[name] = files
            if len(files) != 1:
                lacks = f"lacks its {kind}" if not files else f"has {len(files)} times a {kind}"
                problems.append(f"{name} {lacks}")
    if problems:
        raise DataError(
            f"{len(problems)} files of the sections in {folder} are missing or ambiguous: {'; '.join(problems)}.",
            "Add what is missing, or move the count tables of these sections away to leave them out.",
        )
    return [
        SectionFiles(
            name=name,
            patient=patient_of(name),
            image=found[image_kind][name][0],
            counts=found[counts_kind][name][0],
            spots=found[spots_kind][name][0],
            pitches_um=PITCHES_UM,
        )
        for name in sorted(found[counts_kind], key=_numbers)
    ]


def study(sections: list[SectionFiles]) -> Study:
    """Return what a card says of these data."""
    return Study(
        name="cscc",
        data="cutaneous squamous cell carcinoma spatial transcriptomics (GEO GSE144240)",
        licence="",
        citation=(
            "Ji A. L. et al. Multimodal Analysis of Composition and Spatial Architecture in Human Squamous Cell "
            "Carcinoma. Cell 182, 497-514 (2020). doi:10.1016/j.cell.2020.05.039"
        ),
        tissue="cutaneous squamous cell carcinoma",
        patients={section.name: section.patient for section in sections},
        organism="Homo sapiens",
    )


def patient_of(section: str) -> str:
    """Return the patient of a section by its name: "P2" of "P2_ST_rep1"."""
    return section.split("_")[0]


def _numbers(section: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", section)]


def _unpacked_first(files: list[Path]) -> list[Path]:
    """Leave out what is packed where the same file lies beside it unpacked."""
    names = {path.name for path in files}
    return [path for path in files if path.name.removesuffix(".gz") == path.name or path.stem not in names]
