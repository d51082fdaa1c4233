"""The loop that every stage of training shares: learning rate, running mean of the weights, log, checkpoints.

A stage goes on from its checkpoint: weights, running mean, optimiser, steps and time spent.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from .train_checkpoint import (
    CHECKPOINT_SECONDS,
    TrainingClock,
    append_log,
    cosine_rate,
    load_checkpoint,
    save_checkpoint,
)
from .train_optimizer import AdamWithMuon, make_adam


@dataclass(frozen=True)
class Plan:
    """How a stage is trained."""

    name: str
    """Of the stage: the checkpoint is NAME.pt, the log log_NAME.csv."""
    folder: Path
    minutes: float
    """Wall clock of the stage, all of its runs together."""
    peak_rate: float
    """Learning rate after the warm-up; from there half a cosine down over the time."""
    warmup_steps: int = 100
    weight_decay: float = 0.0
    muon_threads: int = 0
    """Of Muon for matrices (train_optimizer.py); 0 for AdamW alone."""
    mean_decay: float = 0.0
    """Of the running mean of the weights, per step; 0 for none."""
    log_every: int = 50
    """Steps."""
    seed: int = 0
    origin: int = 0
    """Steps of the stage whose weights this one began with."""


class Training:
    """One stage: a module and its optimiser."""

    def __init__(self, module: nn.Module, plan: Plan) -> None:
        """Go on from the stage's checkpoint, if there is one; `module` is on its device and gets what was learnt."""
        self._module, self._plan = module, plan
        self._path = plan.folder / f"{plan.name}.pt"
        state = load_checkpoint(self._path)
        if state is not None:
            module.load_state_dict(state["model"])
        self._parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
        how = {"rate": plan.peak_rate, "weight_decay": plan.weight_decay}
        self._optimizer: torch.optim.AdamW | AdamWithMuon
        if plan.muon_threads:
            self._optimizer = AdamWithMuon(module, threads=plan.muon_threads, **how)
        else:
            self._optimizer = make_adam(self._parameters, **how)
        self.step = 0
        spent = 0.0
        # The first copy is of the module where it lies, so the mean is on its device.
        self.mean = {name: value.clone() for name, value in module.state_dict().items()} if plan.mean_decay else {}
        if state is not None:
            if state["optimizer"] is not None:
                self._optimizer.load_state_dict(state["optimizer"])
            for name, value in self.mean.items():
                value.copy_(state["mean"][name])
            self.step, spent = state["step"], state["spent"]
        self._clock = TrainingClock(minutes=plan.minutes, spent_seconds=spent)
        torch.manual_seed(plan.seed + self.step)

    def run(self, gradients: Callable[[float], float], on_log: Callable[[], dict[str, object]] = dict) -> None:
        """Train until the time is spent.

        Args:
            gradients: leaves the gradients of one step in the module and returns the loss; it is given the share of
                the time that is spent.
            on_log: called when a line of the log is written; returns what else the line holds.
        """
        saved, losses = time.monotonic(), []
        while self._clock.progress < 1.0:
            progress, plan = self._clock.progress, self._plan
            rate = cosine_rate(progress, step=self.step, peak=plan.peak_rate, warmup_steps=plan.warmup_steps)
            for group in self._optimizer.param_groups:
                group["lr"] = rate
            self._module.zero_grad()
            losses.append(gradients(progress))
            torch.nn.utils.clip_grad_norm_(self._parameters, 1.0)
            self._optimizer.step()
            self.step += 1
            self._average()
            if self.step % plan.log_every == 0:
                self._log(float(np.mean(losses)), rate, on_log())
                losses.clear()
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                self._save()
                saved = time.monotonic()
        self._save()

    @torch.no_grad()
    def _average(self) -> None:
        # The first steps are averaged over fewer, so that the random start is soon forgotten.
        decay = min(self._plan.mean_decay, (1 + self.step) / (10 + self.step))
        for name, value in self._module.state_dict().items() if self.mean else ():
            if value.is_floating_point():
                self.mean[name].lerp_(value, 1 - decay)

    def _log(self, loss: float, rate: float, more: dict[str, object]) -> None:
        minutes = round(self._clock.spent_seconds / 60, 2)
        row = {"step": self.step, "minutes": minutes, "loss": round(loss, 5), "rate": f"{rate:.2e}", **more}
        append_log(self._plan.folder / f"log_{self._plan.name}.csv", row)
        print(row, flush=True)

    def _save(self) -> None:
        weights = {"model": self._module.state_dict(), "mean": self.mean, "optimizer": self._optimizer.state_dict()}
        progress = {"step": self.step, "spent": self._clock.spent_seconds, "origin": self._plan.origin}
        save_checkpoint(self._path, {**weights, **progress})
