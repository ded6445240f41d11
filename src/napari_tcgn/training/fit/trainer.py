"""A network on its way: the steps of an epoch, the learning rate, the choice of the best epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from napari_tcgn.engine import Progress, is_out_of_memory
from napari_tcgn.errors import CheckpointError, DeviceError, TcgnError
from napari_tcgn.model import ModelCard, prepare_patches
from napari_tcgn.options import TrainSettings
from napari_tcgn.training.data.augment import augment, jitter_stain
from napari_tcgn.training.data.dataset import Dataset
from napari_tcgn.training.fit.checkpoint import Checkpoint
from napari_tcgn.training.fit.group import Group
from napari_tcgn.training.fit.likelihood import NegativeBinomial
from napari_tcgn.training.fit.objective import Objective
from napari_tcgn.training.fit.record import EpochReport, number_or_none
from napari_tcgn.training.fit.score import score_spots
from napari_tcgn.training.fit.start import last_layer, start_from_mean, start_from_nothing
from napari_tcgn.training.fit.subspace import Subspace, leading_directions
from napari_tcgn.training.fit.warm_start import warm_start

BuildNet = Callable[[int], nn.Module]
ALONE = Group()
PROGRESS_SECONDS = 0.5  # reading the loss waits for the device, so not after every step of a fast one


class Trainer:
    """A network, its optimiser and the data on one device.

    Parameters
    ----------
    dataset : Dataset
    settings : TrainSettings
    card : ModelCard
        How patches are prepared.
    device : str
    build_net : callable, optional
        Makes the network from the number of genes.
    init : pathlib.Path, optional
        Weights to start from.
    group : Group
        The processes that share every batch.

    Attributes
    ----------
    warm : WarmStart or None
        What was taken from `init`.
    """

    def __init__(
        self,
        dataset: Dataset,
        settings: TrainSettings,
        card: ModelCard,
        device: str,
        build_net: BuildNet | None = None,
        init: Path | None = None,
        group: Group = ALONE,
    ) -> None:
        self.dataset, self.settings, self.card, self.device = dataset, settings, card, device
        torch.manual_seed(_seed(settings.seed, 0))  # initial weights
        self.net = (build_net or self._build_tcgn)(len(card.genes)).to(device)
        self.group = group
        group.share_statistics(self.net)
        self.warm = None if init is None else warm_start(self.net, init, card.genes)
        if settings.residual != "none":
            start_from_nothing(self.net)
        elif settings.start_from_mean:
            start_from_mean(self.net, dataset, settings.loss)
        self.subspace: Subspace | None = None
        if settings.components > 0:
            self.subspace = leading_directions(dataset, settings.components, settings.residual != "none")
            self.subspace.confine(last_layer(self.net)[1])
        self.objective = Objective(dataset, settings, self.subspace)
        optimiser = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[settings.optimiser]
        self.optimiser = optimiser(
            self.net.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
            fused=device.startswith("cuda"),
        )
        if self.likelihood is not None:
            # Every process computes its gradient from the whole batch, so that it is not added up over them.
            self.optimiser.add_param_group({"params": list(self.likelihood.parameters()), "weight_decay": 0.0})
        self.average: AveragedModel | None = None
        if settings.ema > 0:
            # Buffers as well: the statistics of BatchNorm belong to the weights.
            self.average = AveragedModel(
                self.net, multi_avg_fn=get_ema_multi_avg_fn(settings.ema), use_buffers=True
            ).requires_grad_(False)
        self.steps = len(dataset.train) // settings.batch_size  # the last incomplete batch is dropped
        self.history: list[EpochReport] = []

    def _build_tcgn(self, num_genes: int) -> nn.Module:
        from napari_tcgn.model import TCGN

        return TCGN(num_genes, size=self.settings.size)

    @property
    def likelihood(self) -> NegativeBinomial | None:
        """The part of the loss that learns along, where there is one."""
        return self.objective.likelihood

    @property
    def best_epoch(self) -> int:
        """The last epoch that was better than all before it."""
        return max(report.epoch for report in self.history if report.best)

    @property
    def scored(self) -> nn.Module:
        """The network that is scored and kept: the running mean of the weights, where there is one."""
        return self.net if self.average is None else self.average.module

    @property
    def finished(self) -> bool:
        """Whether the last epoch is reached, or no better one came for as long as patience lasts."""
        done = len(self.history)
        patience = self.settings.patience
        return done >= self.settings.epochs or (0 < patience <= done - (self.best_epoch if done else 0))

    def checkpoint(self) -> Checkpoint:
        """Return everything needed to go on."""
        return Checkpoint(
            net=self.net.state_dict(),
            average=None if self.average is None else self.average.state_dict(),
            scored=self._kept_weights(),
            optimiser=self.optimiser.state_dict(),
            best_epoch=self.best_epoch,
            history=list(self.history),
            likelihood=None if self.likelihood is None else self.likelihood.state_dict(),
        )

    def _kept_weights(self) -> dict[str, torch.Tensor]:
        """Return the weights of the network that is kept, with the subspace as part of its last layer."""
        state: dict[str, torch.Tensor] = dict(self.scored.state_dict())
        if self.subspace is not None:
            name, _ = last_layer(self.net)
            weight, bias = f"{name}.weight", f"{name}.bias"
            state[weight], state[bias] = self.subspace.folded(state[weight], state[bias])
        return state

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint of the same run.

        Raises
        ------
        CheckpointError
            If it does not fit the network (made by another version).
        """
        try:
            self.net.load_state_dict(checkpoint.net)
            self.optimiser.load_state_dict(checkpoint.optimiser)
            if self.average is not None:
                self.average.load_state_dict(checkpoint.average or {})
            if self.likelihood is not None:
                self.likelihood.load_state_dict(checkpoint.likelihood or {})
        except (RuntimeError, ValueError, KeyError) as error:
            raise CheckpointError(
                f"The checkpoint does not fit the network: {error}.", "Start a new run in another folder (--out)."
            ) from error
        self.history = list(checkpoint.history)

    def run_epoch(self) -> Generator[Progress, None, EpochReport]:
        """Train one epoch and score it; the report is also added to `history`."""
        started = time.monotonic()
        epoch = len(self.history) + 1
        train_loss = yield from self._train_epoch(epoch)
        yield Progress(f"score epoch {epoch} of {self.settings.epochs}", *self._spots_done(epoch, 0))
        on_test = self.settings.select_on_test
        spots = self.dataset.test if on_test else self.dataset.validation
        loss: float | None = None
        pcc: float | None = None
        if len(spots):
            score = score_spots(self.scored, self.dataset, spots, self.card)
            self._require_finite(score.loss, epoch)
            loss, pcc = score.loss, number_or_none(score.median_pcc)
        report = EpochReport(
            epoch=epoch,
            epochs=self.settings.epochs,
            train_loss=train_loss,
            val_loss=None if on_test else loss,
            val_median_pcc=None if on_test else pcc,
            test_loss=loss if on_test else None,
            test_median_pcc=pcc if on_test else None,
            learning_rate=self.optimiser.param_groups[0]["lr"],
            seconds=round(time.monotonic() - started, 3),
            best=self._is_best(pcc, chosen=len(spots) > 0),
        )
        self.history.append(report)
        return report

    def _is_best(self, pcc: float | None, chosen: bool) -> bool:
        """Whether the epoch just scored is the one to keep so far; without spots to choose by, the last one is."""
        if not chosen or not self.history:
            return True
        return (-np.inf if pcc is None else pcc) > max(report.selection for report in self.history)

    def _train_epoch(self, epoch: int) -> Generator[Progress, None, float]:
        """Run the steps of an epoch; return the mean of the batch losses."""
        settings, data = self.settings, self.dataset
        # Every epoch has its own seed: shuffling and augmentation (this generator) and dropout (the global one)
        # then do not depend on whether the run was stopped before it.
        generator = torch.Generator().manual_seed(_seed(settings.seed, epoch))
        torch.manual_seed(_seed(settings.seed, epoch))
        order = data.train[torch.randperm(len(data.train), generator=generator).to(self.device)]
        self.net.train()
        losses: list[torch.Tensor] = []
        spoken = begun = time.monotonic()
        for step in range(self.steps):
            batch = order[step * settings.batch_size : (step + 1) * settings.batch_size]
            try:
                losses.append(self._step(batch, self._learning_rate(epoch, step), generator))
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                raise DeviceError(
                    f"Device {self.device} has no memory for a batch of {settings.batch_size} patches.",
                    "Start a run with a smaller --batch-size or --size, or on another --device.",
                ) from error
            now = time.monotonic()
            if now - spoken >= PROGRESS_SECONDS:
                self._require_finite(float(losses[-1]), epoch)
                spoken = now
                yield self._progress(epoch, step + 1, now - begun)
        mean = float(torch.stack(losses).cpu().double().mean())
        self._require_finite(mean, epoch)
        return mean

    def _step(self, batch: torch.Tensor, rate: float, generator: torch.Generator) -> torch.Tensor:
        """One step of the optimiser on spots `batch` (int64 [B]); returns the loss (scalar, on the device)."""
        data = self.dataset
        settings = self.settings
        images = prepare_patches(data.patches[batch], self.card)  # [B, 3, px, px]
        if settings.stain_jitter > 0:
            images = jitter_stain(images, self.card.mean, self.card.std, settings.stain_jitter, generator)
        if settings.augment:
            images = augment(images, generator, settings.zoom_jitter)
        # Every process draws for the whole batch, so that the draws do not depend on how many share it.
        mine = self.group.share(len(batch))
        images = images[mine]
        for parameters in self.optimiser.param_groups:
            parameters["lr"] = rate
        with torch.autocast(images.device.type, torch.bfloat16, enabled=settings.precision == "bf16"):
            predicted = self.net(images)
        predicted = self.group.whole(predicted.float()) + data.base[batch]
        loss = self.objective(predicted, batch)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.group.add_gradients(self.net)
        if settings.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), settings.clip_norm)
        self.optimiser.step()
        if self.average is not None:
            self.average.update_parameters(self.net)
        return loss.detach()

    def _learning_rate(self, epoch: int, step: int) -> float:
        """Return the rate of a step: constant, or a linear warm-up and half a cosine down to zero."""
        settings = self.settings
        if settings.schedule == "constant":
            return settings.learning_rate
        done = (epoch - 1) * self.steps + step
        warm_up = settings.warmup_epochs * self.steps
        if done < warm_up:
            return settings.learning_rate * (done + 1) / (warm_up + 1)
        fraction = (done - warm_up) / max(1.0, settings.epochs * self.steps - warm_up)
        return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * fraction))

    def _require_finite(self, loss: float, epoch: int) -> None:
        if math.isfinite(loss):
            return
        kept = f"The checkpoint of epoch {epoch - 1} is kept" if epoch > 1 else "No epoch was finished"
        raise TcgnError(
            f"The loss became {loss} in epoch {epoch}. {kept}.", "Start a new run with a lower --learning-rate."
        )

    def _spots_done(self, epoch: int, step: int) -> tuple[int, int]:
        """Return the spots trained up to a step (0: the whole epoch) and those of the whole run."""
        per_epoch = self.steps * self.settings.batch_size
        done = epoch * per_epoch if step == 0 else (epoch - 1) * per_epoch + step * self.settings.batch_size
        return done, self.settings.epochs * per_epoch

    def _progress(self, epoch: int, step: int, seconds: float) -> Progress:
        """Return the progress after a step of the epoch that has taken `seconds` so far."""
        done, total = self._spots_done(epoch, step)
        rate = step * self.settings.batch_size / max(seconds, 1e-9)
        return Progress(f"epoch {epoch} of {self.settings.epochs}", done, total, rate, (total - done) / rate)


def _seed(seed: int, epoch: int) -> int:
    """Return a seed for one epoch (0: the initial weights); neighbouring numbers give unrelated seeds."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint32)[0])
