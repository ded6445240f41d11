"""A cluster for a cohort leaves the dask work of the same Python session where it ran before."""

from __future__ import annotations

import gc

import dask
import pytest

from napari_tcgn.errors import ClusterError
from napari_tcgn.jobs import cluster


def scheduler_of_dask() -> object:
    return dask.config.get("scheduler", None)


@pytest.fixture
def failed(monkeypatch: pytest.MonkeyPatch) -> pytest.ExceptionInfo[ClusterError]:
    """A connection that failed; the error keeps its client from being collected."""
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1.0)
    with pytest.raises(ClusterError, match="No dask scheduler answers") as error, cluster.connected("nonsense://x"):
        pass
    return error


def test_after_a_scheduler_that_does_not_answer(failed) -> None:
    assert scheduler_of_dask() is None


@pytest.mark.slow
def test_beside_and_after_workers_of_this_machine(failed) -> None:
    import dask.array as da

    with cluster.local_cluster(1) as client:
        assert scheduler_of_dask() is None
        assert client.submit(abs, -3).result() == 3
        del failed
        gc.collect()  # the client that failed goes while another one is open
    assert scheduler_of_dask() is None
    assert da.ones(3).sum().compute() == 3
