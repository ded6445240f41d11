"""The folder of a training run: record, metrics, and the checkpoint it goes on from."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from napari_tcgn.errors import CheckpointError, OutputError
from napari_tcgn.files import write_whole
from napari_tcgn.training.fit.recipe import with_defaults
from napari_tcgn.training.fit.record import EpochReport

RUN_FORMAT = "napari-tcgn training run 1"
CHECKPOINT_FORMAT = "napari-tcgn checkpoint 2"


@dataclass(slots=True)
class Checkpoint:
    """Everything a run needs to go on after an epoch.

    Random numbers need no state: every epoch draws them anew from the run's seed and its own number.

    Attributes
    ----------
    net, optimiser : dict
        Their state_dicts.
    average : dict or None
        That of the running mean of the weights.
    scored : dict
        The weights that were scored; written out beside the checkpoint where the last epoch is the best.
    best_epoch : int
        Its weights lie beside the checkpoint.
    likelihood : dict or None
        What the loss itself has learnt (the dispersions of the negative binomial), where it learns anything.
    history : list of EpochReport
        One per finished epoch.
    """

    net: dict[str, Any]
    average: dict[str, Any] | None
    scored: dict[str, Any]
    optimiser: dict[str, Any]
    best_epoch: int
    history: list[EpochReport]
    likelihood: dict[str, Any] | None = None


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
        self.record: dict[str, Any] = {}

    def check(self, resume: bool) -> None:
        """Refuse a folder that is not this run's, before any work is done for it.

        Raises
        ------
        OutputError
            If the folder holds other files, holds a run and `resume` is false, or holds none and it is true.
        """
        if self.path.exists() and not self.path.is_dir():
            raise OutputError(f"{self.path} is a file.", "Name a folder for the run (--out).")
        used = self.path.is_dir() and any(self.path.iterdir())
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

    def start(self, identity: dict[str, Any], facts: dict[str, Any]) -> None:
        """Write the record of a new run, or make sure that a run to be continued is the same one.

        Parameters
        ----------
        identity : dict
            What must be equal: settings, fold, sections, panel.
        facts : dict
            The rest of the record: data, device, versions.

        Raises
        ------
        OutputError
            If the folder cannot be written, or the run in it differs (every difference is named).
        """
        if self.record:
            before = dict(self.record.get("identity", {}))
            settings = before.get("settings", {})
            before["settings"] = {k: v for k, v in with_defaults(settings).items() if k != "device"}
            differences = _differences(before, identity)
            if differences:
                raise OutputError(
                    f"The run in {self.path} cannot be resumed with other choices: {'; '.join(differences)}.",
                    "Resume it with its own choices (run.json) or start a new run in another folder (--out).",
                )
            for left_over in self.path.glob(".*.*.*"):  # temporary files of the killed run
                if left_over.name.startswith((".checkpoint.pt.", ".best-", ".metrics.", ".run.json.")):
                    left_over.unlink(missing_ok=True)
            resumed = [*self.record.get("resumed", []), facts.pop("started")]
            facts = {**facts, "resumed": resumed}
        else:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(f"{self.path} cannot be made: {error}.", "Choose another folder (--out).") from error
        self.update_record(format=RUN_FORMAT, identity=identity, status="running", **facts)

    def update_record(self, **entries: Any) -> None:
        """Change entries of run.json."""
        self.record.update(entries)
        with write_whole(self.record_path, overwrite=True) as temporary:
            temporary.write_text(json.dumps(self.record, indent=1, ensure_ascii=False), encoding="utf-8")

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, and its net as the best one where the last epoch is the best.

        Raises
        ------
        OutputError
            If it cannot be written; the last one stays.
        """
        content = {
            "format": CHECKPOINT_FORMAT,
            "net": checkpoint.net,
            "average": checkpoint.average,
            "optimiser": checkpoint.optimiser,
            "best_epoch": checkpoint.best_epoch,
            "likelihood": checkpoint.likelihood,
            "history": [asdict(report) for report in checkpoint.history],
        }
        try:
            # The best weights carry their epoch in their name, so that no kill between two files can mix them up.
            if checkpoint.history[-1].best:
                with write_whole(self._best_path(checkpoint.best_epoch), overwrite=True) as temporary:
                    save_file({k: v.detach().cpu().contiguous() for k, v in checkpoint.scored.items()}, temporary)
            with write_whole(self.checkpoint_path, overwrite=True) as temporary:
                torch.save(content, temporary)
        except (RuntimeError, SafetensorError) as error:  # how torch and safetensors tell of a full disk
            raise OutputError(
                f"The checkpoint of epoch {len(checkpoint.history)} cannot be written: {error}.",
                "Free space, then go on with --resume; the checkpoint before it is kept.",
            ) from error
        for older in self.path.glob("best-*.safetensors"):
            if older != self._best_path(checkpoint.best_epoch):
                older.unlink(missing_ok=True)
        self.write_metrics(checkpoint.history)

    def load(self) -> Checkpoint | None:
        """Read the checkpoint; None if the run was stopped before its first epoch ended.

        Raises
        ------
        CheckpointError
            If the file is corrupt or not a checkpoint of a run.
        """
        if not self.checkpoint_path.is_file():
            return None
        hint = "Start a new run in another folder (--out)."
        try:
            content = torch.load(self.checkpoint_path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises many kinds for a damaged or unsafe file
            raise CheckpointError(f"{self.checkpoint_path} cannot be read: {error}.", hint) from error
        if not isinstance(content, dict) or content.get("format") != CHECKPOINT_FORMAT:
            raise CheckpointError(f"{self.checkpoint_path} is not a checkpoint of a training run.", hint)
        try:
            history = [EpochReport(**row) for row in content["history"]]
            return Checkpoint(
                net=content["net"],
                average=content["average"],
                scored={},
                optimiser=content["optimiser"],
                best_epoch=content["best_epoch"],
                likelihood=content.get("likelihood"),
                history=history,
            )
        except (KeyError, TypeError) as error:
            raise CheckpointError(f"{self.checkpoint_path} is incomplete: {error}.", hint) from error

    def best_weights(self, epoch: int) -> dict[str, torch.Tensor]:
        """Read the weights of the chosen epoch.

        Raises
        ------
        CheckpointError
            If they are missing or damaged.
        """
        path = self._best_path(epoch)
        try:
            return load_file(path)
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
        with write_whole(self.path / "metrics.jsonl", overwrite=True) as temporary:
            temporary.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    def _best_path(self, epoch: int) -> Path:
        return self.path / f"best-{epoch:04d}.safetensors"

    def _read_record(self) -> dict[str, Any]:
        try:
            record = json.loads(self.record_path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise OutputError(f"{self.record_path} cannot be read: {error}.", "Start a new run (--out).") from error
        if not isinstance(record, dict) or record.get("format") != RUN_FORMAT:
            raise OutputError(
                f"{self.record_path} is not the record of a training run.", "Choose another folder (--out)."
            )
        return record


def _differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> list[str]:
    """Name every entry in which two nested dicts differ."""
    found: list[str] = []
    for key in sorted({*old, *new}):
        before, now = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(now, dict):
            found += _differences(before, now, f"{prefix}{key}.")
        elif before != now:
            found.append(f"{prefix}{key} was {before!r}, now {now!r}")
    return found
