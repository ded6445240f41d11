"""An .h5ad speaks for itself only: nothing in it leads to another file, or round in a ring."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anndata
import h5py
import numpy as np
import pytest
from scipy import sparse

from napari_tcgn.errors import DataError
from napari_tcgn.h5ad import read_h5ad


@pytest.fixture
def path(tmp_path: Path) -> Path:
    adata = anndata.AnnData(sparse.csr_matrix(np.eye(4, 3, dtype=np.float32)), uns={"a": {"b": 1}})
    adata.layers["counts"] = adata.X.copy()
    adata.obsm["parts"] = sparse.csr_matrix(np.eye(4, 2, dtype=np.float32))
    adata.write_h5ad(tmp_path / "x.h5ad")
    return tmp_path / "x.h5ad"


def external(file: h5py.File) -> None:
    file["layers/far"] = h5py.ExternalLink("/etc/passwd", "/X")


def soft(file: h5py.File) -> None:
    file["layers/near"] = h5py.SoftLink("/layers/near")  # a ring


def itself(file: h5py.File) -> None:
    file["layers/again"] = file["layers"]  # a ring of hard links


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout(shape=(4, 3), dtype="f4")
    layout[:] = h5py.VirtualSource("other.h5", "X", shape=(4, 3))
    file["layers"].create_virtual_dataset("seen", layout)


def raw_bytes(file: h5py.File) -> None:
    file["layers"].create_dataset("raw", (4, 3), "f4", external=[("/etc/hostname", 0, 48)])


def deep(file: h5py.File) -> None:
    group = file["uns"]
    for _ in range(40):
        group = group.create_group("deeper")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (external, "layers/far lies in another file"), (soft, "layers/near is a link"),
        (itself, "layers/again is the same group"), (virtual, "layers/seen has its values in other files"),
        (raw_bytes, "layers/raw has its values in other files"), (deep, "more than 32 groups deep"),
    ],
)  # fmt: skip
def test_what_leads_elsewhere_is_named(path: Path, spoil: Callable[[h5py.File], None], words: str) -> None:
    assert read_h5ad(path).n_obs == 4
    with h5py.File(path, "r+") as file:
        spoil(file)
    with pytest.raises(DataError, match=words):
        read_h5ad(path)


@pytest.mark.parametrize("table", ["X", "layers/counts", "obsm/parts"])
@pytest.mark.parametrize(("name", "value"), [("indices", 1_000_000), ("indices", -1), ("indptr", 1_000_000)])
def test_a_sparse_table_that_points_outside_itself(path: Path, table: str, name: str, value: int) -> None:
    with h5py.File(path, "r+") as file:
        file[f"{table}/{name}"][1] = value
    with pytest.raises(DataError, match=r"x\.h5ad cannot be read"):
        read_h5ad(path)
