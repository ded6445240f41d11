"""Names of genes that programs have changed: with their genome before them (Cell Ranger), or into dates (Excel)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from napari_tcgn.errors import DataError

# How genomes are called, and whose they are (assemblies of Ensembl and UCSC).
_SPECIES = {
    r"GRCh\d+|hg\d+": "Homo sapiens",
    r"GRCm\d+|mm\d+": "Mus musculus",
    r"mRatBN7[._]2|GRCr\d+|Rnor_[\d.]+?|rn\d+": "Rattus norvegicus",
    r"GRCz\d+|danRer\d+": "Danio rerio",
    r"Sscrofa[\d._]+?|susScr\d+": "Sus scrofa",
    r"GRCg\w+?|galGal\d+": "Gallus gallus",
    r"Mmul_\d+|rheMac\d+": "Macaca mulatta",
}
# Cell Ranger fills up with "_" to the length of the longest genome's name; Seurat makes "-" of each "_".
_NAMED = re.compile(rf"({'|'.join(_SPECIES)})(?:[_-]premrna)?[_-]+(\S.*)")


_MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
# What spreadsheets make of MARCH1, SEPT2, DEC1 and OCT4 (Ziemann et al. 2016).
_DATE = re.compile(rf"\d{{1,2}}-({_MONTHS})|({_MONTHS})-\d{{2}}|\d{{4}}-\d{{2}}-\d{{2}}( 00:00:00)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PlainGenes:
    """Genes without the genome before their names.

    Attributes
    ----------
    names, ids : list of str
        Of every gene, in their order; both "" of a gene of another genome, which is not to be used.
    notes : list of str
        What was done, a sentence each.
    """

    names: list[str]
    ids: list[str]
    notes: list[str]


def genome_of(name: str) -> tuple[str, str]:
    """Return the genome that stands before a gene's name, and the name without it; "" where there is none."""
    found = _NAMED.fullmatch(name)
    return (found[1], found[2]) if found else ("", name)


def plain_genes(names: Sequence[str], ids: Sequence[str], organism: str = "") -> PlainGenes:
    """Take the genome from before the names of genes; of several genomes take that of one species.

    Parameters
    ----------
    names, ids : sequences of str
        Symbols and Ensembl ids ("" where unknown) as they stand in the file.
    organism : str
        Whose genes are wanted; "" where it is not known.

    Raises
    ------
    DataError
        If the genes of several genomes are mixed and it is not known which of them is wanted, or none of it is there.
    """
    split = [genome_of(name) for name in names]
    count = Counter(genome for genome, _ in split if genome)
    if not count:
        return PlainGenes(list(names), list(ids), [])
    listed = ", ".join(f"{genome}: {n}" for genome, n in count.most_common())
    wanted = _wanted(count, organism, listed)
    plain = [name if genome in ("", wanted) else "" for genome, name in split]
    first = next(name for name, (genome, _) in zip(names, split, strict=True) if genome == wanted)
    notes = [f"{count[wanted]} genes are named with their genome ({first}) and were taken without it."]
    if others := sum(count.values()) - count[wanted]:
        notes.append(
            f"The measured data hold genes of {len(count)} genomes ({listed}): only those of {wanted} were taken, "
            f"{others} were left out."
        )
    return PlainGenes(plain, [one if name else "" for one, name in zip(ids, plain, strict=True)], notes)


def _wanted(genomes: Iterable[str], organism: str, listed: str) -> str:
    """Return the one genome whose genes are taken."""
    found = sorted(genomes)
    mine = [genome for genome in found if species_of_genome(genome) == organism]
    if len(mine) == 1:
        return mine[0]
    if not organism and len(found) == 1:
        return found[0]
    if organism in _SPECIES.values() and not mine:
        raise DataError(
            f"The measured genes are those of the genome{'s' if len(found) > 1 else ''} {listed}, the model predicts "
            f"{organism}.",
            "Compare with a measurement of the model's species.",
        )
    if len(found) == 1:  # of a model whose species has no genome here
        return found[0]
    raise DataError(
        f"The measured data hold genes of {len(found)} genomes ({listed}), and it is open which of them are meant.",
        "Keep the genes of one genome.",
    )


def dates_among(names: Sequence[str]) -> list[str]:
    """Say it if genes are named like dates; empty where none is."""
    found = [name for name in names if _DATE.fullmatch(name)]
    if not found:
        return []
    return [
        f"{len(found)} measured genes are named like dates ({', '.join(found[:3])}): a spreadsheet has changed their "
        "names, and what they were (MARCHF1, SEPTIN2 …) is not known; they are not used."
    ]


def species_of_genome(genome: str) -> str:
    """Return whose genome it is, by its name."""
    return next(species for pattern, species in _SPECIES.items() if re.fullmatch(pattern, genome))
