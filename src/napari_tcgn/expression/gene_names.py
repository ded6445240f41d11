"""Which measured gene is which gene of the model: by symbol, Ensembl id, spelling or alias; and of what species."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_tcgn.errors import DataError
from napari_tcgn.expression.genomes import dates_among, genome_of, plain_genes
from napari_tcgn.files import open_text, reading

if TYPE_CHECKING:
    from anndata import AnnData

# Ensembl's prefixes of gene ids (ensembl.org, stable ids).
_SPECIES = {
    "": "Homo sapiens",
    "MUS": "Mus musculus",
    "RNO": "Rattus norvegicus",
    "DAR": "Danio rerio",
    "SSC": "Sus scrofa",
    "GAL": "Gallus gallus",
    "MMU": "Macaca mulatta",
}
_ENSEMBL = re.compile(r"ENS([A-Z]{0,4})G(\d{6,})(\.\d+)?")
_RODENT = "Mus musculus or Rattus norvegicus"
ID_COLUMNS = ("gene_ids", "gene_id", "ensembl_id", "ensembl", "feature_id")
SYMBOL_COLUMNS = ("gene_symbols", "gene_symbol", "symbol", "gene_name", "gene_names", "feature_name")
ENOUGH_IDS = 10  # of which most would have to be retired
WAYS = ("symbol", "Ensembl id", "spelling", "alias")


@dataclass(frozen=True, slots=True)
class GeneMatchRecord:
    """How genes were matched.

    Attributes
    ----------
    organism, organism_measured : str
        Of the model, and what the measured names tell.
    predicted, measured, matched : int
        Genes.
    matched_by : dict of str to int
        How many were matched in which way (`WAYS`).
    under_another_name : dict of str to str
        Measured names that differ, by the model's symbol.
    summed : dict of str to int
        Columns of genes that stand in the measured data more than once.
    not_measured : list of str
    measured_more_than_once : list of str
        The first hundred names.
    """

    organism: str
    organism_measured: str
    predicted: int
    measured: int
    matched: int
    matched_by: dict[str, int]
    under_another_name: dict[str, str]
    summed: dict[str, int]
    not_measured: list[str]
    measured_more_than_once: list[str]

    def to_record(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        return asdict(self)


@dataclass(frozen=True, slots=True, eq=False)
class GeneMatch:
    """Genes of the model that were measured.

    Attributes
    ----------
    genes : intp [matched]
        Their numbers in the prediction, in its order.
    columns : list of intp arrays [matched]
        Their columns in the measured data; several where a symbol stands there more than once.
    manifest : GeneMatchRecord
    warnings : list of str
    """

    genes: NDArray[np.intp]
    columns: list[NDArray[np.intp]]
    manifest: GeneMatchRecord
    warnings: list[str]

    def summed(self, table: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return one column per gene, float64 [n, matched], from a table of `np.concatenate(columns)`."""
        starts = np.cumsum([0, *(len(places) for places in self.columns[:-1])])
        total: NDArray[np.float64] = np.add.reduceat(table, starts, axis=1)
        return total

    def require_single(self) -> None:
        """Refuse values on a log scale of which several columns would have to be summed.

        Raises
        ------
        DataError
        """
        if self.manifest.summed:
            names = ", ".join(sorted(self.manifest.summed)[:5])
            raise DataError(
                f"The measured data name genes of the model more than once ({names}), and values on a log scale cannot "
                "be summed.",
                "Keep one column per gene.",
            )


def match_genes(
    predicted: AnnData, measured: AnnData, organism: str, aliases: Mapping[str, str] | None = None
) -> GeneMatch:
    """Find the measured column of every predicted gene.

    Tried in this order, each for what is left: the same symbol; the same Ensembl id, version aside; a symbol that
    differs in upper and lower case or in "." for "-" only; a given alias. A genome before the names (GRCh38_TP53) is
    taken away first; of several genomes the one of the model's species is taken.

    Parameters
    ----------
    predicted, measured : anndata.AnnData
        Ensembl ids are read from the names themselves or from a column like "gene_ids".
    organism : str
        Of the model, "Homo sapiens".
    aliases : mapping of str to str, optional
        Measured name -> the model's symbol.

    Raises
    ------
    DataError
        If the species differ, a predicted gene is named twice, several genomes of the species are mixed, or no gene
        matches.
    """
    if not predicted.var_names.is_unique:
        raise DataError("The prediction names a gene twice.", "Give a prediction as this package writes it.")
    plain = plain_genes(*_names_and_ids(measured), organism)
    names, ids = plain.names, plain.ids
    genomes = None if plain.notes else measured.var.get("genome")
    used = [place for place, name in enumerate(names) if name]
    found = species_of([names[i] for i in used], [ids[i] for i in used], genomes)
    _require_species(found, organism, [names[i] for i in used])
    panel, panel_ids = _names_and_ids(predicted)
    named = {name: name for name in names}
    renamed = {measured_name: symbol for measured_name, symbol in (aliases or {}).items() if measured_name in named}
    ways: tuple[tuple[str, list[str], list[str]], ...] = (
        ("symbol", panel, names),
        ("Ensembl id", panel_ids, ids),
        ("spelling", [_spelt(name) for name in panel], [_spelt(name) for name in names]),
        ("alias", panel, [renamed.get(name, "") for name in names]),
    )
    columns_of: dict[int, NDArray[np.intp]] = {}
    way_of: dict[int, str] = {}
    taken: set[int] = set()
    for way, wanted, offered in ways:
        place = _places(offered, taken)
        for gene, key in enumerate(wanted):
            if gene not in columns_of and key and key in place:
                columns_of[gene], way_of[gene] = np.array(place[key], dtype=np.intp), way
        taken |= {int(column) for columns in columns_of.values() for column in columns}
    if not columns_of:
        raise _nothing_common(names, panel, panel_ids)
    genes = np.array(sorted(columns_of), dtype=np.intp)
    columns = [columns_of[int(gene)] for gene in genes]
    manifest = _manifest(panel, names, genes, columns, way_of, organism, found)
    notes = [*plain.notes, *dates_among(names), *_other_ids(panel, panel_ids, ids, columns_of, way_of)]
    return GeneMatch(genes, columns, manifest, [*notes, *_warnings(manifest)])


def read_aliases(path: str | Path) -> dict[str, str]:
    """Read a table of aliases: two tab-separated columns, the measured name and the model's symbol; "#" is a comment.

    Raises
    ------
    DataError
        If the file is missing or a line has not two columns.
    """
    path = Path(path)
    with reading(f"The table of aliases {path}", DataError, "Check its name."), open_text(path) as file:
        lines = file.read().splitlines()
    aliases: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = [part.strip() for part in line.split("\t")]
        if len(parts) != 2 or not all(parts):
            raise DataError(
                f"{path.name}, line {number}: found {line!r}.",
                "Give two tab-separated columns: the measured name and the model's symbol.",
            )
        aliases[parts[0]] = parts[1]
    return aliases


def species_of(names: Sequence[str], ids: Sequence[str], genome: Any = None) -> str:
    """Return the species that names of genes tell of, "" where they do not.

    Ensembl ids tell it by their prefix, a reference genome by its name (GRCh38, mm10), symbols by their case: those of
    mouse and rat are written Sox2, those of man SOX2 (nomenclature of HGNC and MGI).
    """
    prefixes = [match[1] for name in ids if (match := _ENSEMBL.fullmatch(name))]
    if len(prefixes) > 0.5 * len(names):
        most = max(set(prefixes), key=prefixes.count)
        return _SPECIES.get(most, f"the species of ENS{most}G")
    if genome is not None:
        text = " ".join(sorted(set(map(str, genome))))
        human, mouse = "GRCh" in text or "hg" in text, "mm10" in text or "GRCm" in text
        if human != mouse:
            return "Homo sapiens" if human else "Mus musculus"
    words = [name for name in names if len(re.sub("[^A-Za-z]", "", name)) >= 3 and not _ENSEMBL.fullmatch(name)]
    if len(words) < 10:
        return ""
    title = sum(name[0].isupper() and any(c.islower() for c in name[1:3]) for name in words) / len(words)
    upper = sum(re.sub("[^A-Za-z]", "", name).isupper() for name in words) / len(words)
    return _RODENT if title > 0.7 else "Homo sapiens" if upper > 0.6 else ""


def _require_species(found: str, organism: str, names: Sequence[str]) -> None:
    known = set(_SPECIES.values())
    if not found or organism not in known or found == organism:
        return
    if found == _RODENT and organism in ("Mus musculus", "Rattus norvegicus"):
        return
    raise DataError(
        f"The measured genes are those of {found} (such as {names[0]}), the model predicts {organism}.",
        "Compare with a measurement of the model's species.",
    )


def _names_and_ids(adata: AnnData) -> tuple[list[str], list[str]]:
    """Return the symbols and Ensembl ids (without version, "" where unknown) of all genes."""
    names = [str(name) for name in adata.var_names]
    ids = [_without_version(name) for name in names]
    column = next((c for c in ID_COLUMNS if c in adata.var), None)
    if column is not None:
        given = [_without_version(str(value)) for value in adata.var[column]]
        ids = [own or other for own, other in zip(ids, given, strict=True)]
    symbols = next((c for c in SYMBOL_COLUMNS if c in adata.var), None)
    if symbols is not None:  # names are ids or numbers, symbols stand beside them
        values = [str(value) for value in adata.var[symbols]]
        names = [
            value if value and (name.isdigit() or _ENSEMBL.fullmatch(genome_of(name)[1])) else name
            for name, value in zip(names, values, strict=True)
        ]
    return names, ids


def _without_version(name: str) -> str:
    match = _ENSEMBL.fullmatch(genome_of(name)[1])
    return f"ENS{match[1]}G{match[2]}" if match else ""


def _spelt(name: str) -> str:
    # R's make.names turns "HLA-A" into "HLA.A".
    return name.casefold().replace(".", "-")


def _places(offered: Sequence[str], taken: set[int]) -> dict[str, list[int]]:
    place: dict[str, list[int]] = {}
    for column, key in enumerate(offered):
        if key and column not in taken:
            place.setdefault(key, []).append(column)
    return place


def _other_ids(
    panel: Sequence[str],
    panel_ids: Sequence[str],
    ids: Sequence[str],
    columns_of: Mapping[int, NDArray[np.intp]],
    way_of: Mapping[int, str],
) -> list[str]:
    """Say which genes have the same symbol and another Ensembl id: ids are retired, but not most of them.

    Raises
    ------
    DataError
        If most of them have: symbols and ids stand in another order then.
    """
    both = {
        gene: {ids[int(column)] for column in columns}
        for gene, columns in columns_of.items()
        if way_of[gene] == "symbol" and panel_ids[gene] and all(ids[int(column)] for column in columns)
    }
    other = [gene for gene, found in both.items() if panel_ids[gene] not in found]
    if not other:
        return []
    first = f"{panel[other[0]]}: {panel_ids[other[0]]} of the model, {sorted(both[other[0]])[0]} measured"
    if len(both) >= ENOUGH_IDS and len(other) > 0.5 * len(both):
        raise DataError(
            f"Symbols and Ensembl ids of the measured genes contradict each other: {len(other)} of {len(both)} genes "
            f"have the model's symbol with another id ({first}).",
            "One of the two stands in another order: correct it, or remove the ids.",
        )
    return [f"{len(other)} of {len(both)} genes have the model's symbol with another Ensembl id ({first})."]


def _nothing_common(names: Sequence[str], panel: Sequence[str], panel_ids: Sequence[str]) -> DataError:
    found = f"None of the model's {len(panel)} genes (such as {panel[0]}) is among the {len(names)} measured genes"
    if any(_ENSEMBL.fullmatch(name) for name in names[:50]) and not any(panel_ids):
        return DataError(
            f"{found}: these are Ensembl ids (such as {names[0]}), of which the model knows none.",
            "Give a table of measured name and symbol (--aliases), or put symbols into the measured file.",
        )
    return DataError(f"{found} (such as {names[0]}).", "Give the measurement of a section with these genes.")


def _manifest(
    panel: list[str],
    names: list[str],
    genes: NDArray[np.intp],
    columns: list[NDArray[np.intp]],
    way_of: dict[int, str],
    organism: str,
    found: str,
) -> GeneMatchRecord:
    first = {int(gene): names[int(places[0])] for gene, places in zip(genes, columns, strict=True)}
    seen: set[str] = set()
    repeated: set[str] = set()
    for name in names:
        (repeated if name in seen else seen).add(name)
    repeated.discard("")
    return GeneMatchRecord(
        organism=organism,
        organism_measured=found or "not told by the names",
        predicted=len(panel),
        measured=len(names),
        matched=len(genes),
        matched_by={way: sum(w == way for w in way_of.values()) for way in WAYS},
        under_another_name={panel[gene]: name for gene, name in first.items() if panel[gene] != name},
        summed={panel[int(gene)]: len(places) for gene, places in zip(genes, columns, strict=True) if len(places) > 1},
        not_measured=[name for gene, name in enumerate(panel) if gene not in way_of],
        measured_more_than_once=sorted(repeated)[:100],
    )


def _warnings(match: GeneMatchRecord) -> list[str]:
    found = []
    if match.matched < 0.5 * match.predicted:
        found.append(
            f"Only {match.matched} of the model's {match.predicted} genes were measured; a spot's total is over these."
        )
    if match.matched_by["spelling"] > 0.5 * match.matched:
        found.append("Most genes match only when upper and lower case are ignored: is it the model's species?")
    if match.summed:
        names = ", ".join(sorted(match.summed)[:5])
        found.append(f"{len(match.summed)} genes stand in the measured data more than once and were summed: {names}.")
    return found
