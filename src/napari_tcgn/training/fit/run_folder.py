"""The folder of a training run: record, metrics, and the checkpoint it goes on from."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from napari_tcgn.errors import CheckpointError, OutputError, SettingsError
from napari_tcgn.files import entries_of, read_json, write_text_whole, write_whole
from napari_tcgn.model import read_tensors
from napari_tcgn.moves import remove_file
from napari_tcgn.paths import is_of_system
from napari_tcgn.training.fit.checkpoint import Checkpoint
from napari_tcgn.training.fit.group import Group
from napari_tcgn.training.fit.record import EpochReport
from napari_tcgn.training.fit.run_record import RUN, RUN_FORMAT, Outcome, RunIdentity, TrainingRecord


class RunFolder:
    """A folder with run.json, metrics.csv, metrics.jsonl, checkpoint.pt and best-<epoch>.safetensors.

    Every file is written whole or not at all, so that a run killed at any moment goes on from its last epoch.

    Parameters
    ----------
    path : pathlib.Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.record_path = path / "run.json"
        self.checkpoint_path = path / "checkpoint.pt"
        self.model_path = path / "model"
        self.record: TrainingRecord | None = None
        self._scratch: TemporaryDirectory[str] | None = None

    @classmethod
    def of_process(cls, path: Path, group: Group) -> RunFolder:
        """Return the folder for a process of a run; those that do not write keep their copy of it to themselves."""
        if group.writes:
            return cls(path)
        scratch = TemporaryDirectory(ignore_cleanup_errors=True)
        run = cls(Path(scratch.name))
        run._scratch = scratch  # deleted with this object
        return run

    def check(self, resume: bool) -> None:
        """Refuse a folder that is not this run's, before any work is done for it.

        Raises
        ------
        OutputError
            If the folder holds other files, holds a run and `resume` is false, or holds none and it is true.
        """
        if self.path.exists() and not self.path.is_dir():
            raise OutputError(f"{self.path} is a file.", "Name a folder for the run (--out).")
        used = self.path.is_dir() and any(not is_of_system(file.name) for file in self.path.iterdir())
        if used and not self.record_path.is_file():
            raise OutputError(
                f"{self.path} holds files that are no training run.", "Choose a new or empty folder (--out)."
            )
        if used and not resume:
            raise OutputError(
                f"{self.path} holds a training run already.", "Continue it with --resume or choose another --out."
            )
        if resume and not used:
            raise OutputError(f"{self.path} holds no training run to resume.", "Check --out or leave out --resume.")
        if resume:
            self.record = self._read_record()

    def start(self, record: TrainingRecord) -> None:
        """Write the record of a new run, or make sure that a run to be continued is the same one.

        Raises
        ------
        OutputError
            If the folder cannot be written, or the run in it differs (every difference is named).
        """
        if self.record is not None:
            self._require_same(self.record.identity, record.identity)
            self._remove_temporary_files()
            record = record.continuing(self.record)
        else:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(f"{self.path} cannot be made: {error}.", "Choose another folder (--out).") from error
        self._write_record(record)

    def finish(self, outcome: Outcome) -> None:
        """Write into the record what came of the run."""
        assert self.record is not None, "a run is started before it is finished"
        finished = datetime.now(UTC).isoformat(timespec="seconds")
        self._write_record(replace(self.record, status="finished", finished=finished, result=outcome))

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, and its net as the best one where the last epoch is the best.

        Raises
        ------
        OutputError
            If it cannot be written; the last one stays.
        """
        try:
            # The best weights carry their epoch in their name, so that no kill between two files can mix them up.
            if checkpoint.history[-1].best:
                with write_whole(self._best_path(checkpoint.best_epoch), overwrite=True) as temporary:
                    save_file({k: v.detach().cpu().contiguous() for k, v in checkpoint.scored.items()}, temporary)
            with write_whole(self.checkpoint_path, overwrite=True) as temporary:
                checkpoint.write(temporary)
        except (RuntimeError, SafetensorError) as error:  # how torch and safetensors tell of a full disk
            raise OutputError(
                f"The checkpoint of epoch {len(checkpoint.history)} cannot be written: {error}.",
                "Free space, then go on with --resume; the checkpoint before it is kept.",
            ) from error
        for older in self.path.glob("best-*.safetensors"):
            if older != self._best_path(checkpoint.best_epoch):
                remove_file(older)  # if it cannot be now, then after another epoch
        self.write_metrics(checkpoint.history)

    def load(self) -> Checkpoint | None:
        """Read the checkpoint; None if the run was stopped before its first epoch ended.

        Raises
        ------
        CheckpointError
            If the file is corrupt or not a checkpoint of a run.
        """
        return Checkpoint.read(self.checkpoint_path) if self.checkpoint_path.is_file() else None

    def best_weights(self, epoch: int) -> dict[str, torch.Tensor]:
        """Read the weights of the chosen epoch.

        Raises
        ------
        CheckpointError
            If they are missing or damaged.
        """
        path = self._best_path(epoch)
        try:
            return read_tensors(path)
        except Exception as error:  # a missing file or any of safetensors' own errors
            raise CheckpointError(f"{path} cannot be read: {error}.", "Start a new run in another folder.") from error

    def write_metrics(self, history: Sequence[EpochReport]) -> None:
        """Write metrics.csv and metrics.jsonl anew, one row per epoch."""
        rows = [asdict(report) for report in history]
        with (
            write_whole(self.path / "metrics.csv", overwrite=True) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as handle,
        ):
            writer = csv.DictWriter(handle, [field.name for field in fields(EpochReport)], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        write_text_whole(self.path / "metrics.jsonl", lines, overwrite=True)

    def _best_path(self, epoch: int) -> Path:
        return self.path / f"best-{epoch:04d}.safetensors"

    def _require_same(self, before: RunIdentity, now: RunIdentity) -> None:
        differences = before.differences(now)
        if differences:
            raise OutputError(
                f"The run in {self.path} cannot be resumed with other choices: {'; '.join(differences)}.",
                "Resume it with its own choices (run.json) or start a new run in another folder (--out).",
            )

    def _remove_temporary_files(self) -> None:
        """Delete what a killed run has left over."""
        for left_over in self.path.glob(".*.*.*"):
            if left_over.name.startswith((".checkpoint.pt.", ".best-", ".metrics.", ".run.json.")):
                remove_file(left_over)

    def _write_record(self, record: TrainingRecord) -> None:
        self.record = record
        text = json.dumps(record.to_record(), indent=1, ensure_ascii=False)
        write_text_whole(self.record_path, text, overwrite=True)

    def _read_record(self) -> TrainingRecord:
        path, hint = self.record_path, "Restore it, or start a new run in another folder (--out)."
        record = read_json(path, f"The record of a training run {path}", OutputError, hint, entries_of(RUN))
        if record.get("format") != RUN_FORMAT:
            raise OutputError(f"{path} is not the record of a training run.", "Choose another folder (--out).")
        try:
            return TrainingRecord.from_record(record)
        except SettingsError as error:
            raise OutputError(f"{path}: identity: settings: {error.problem}", hint) from error
