"""What the training scripts share: two processes that train one model together, checkpoints, budgets.

On a shared two-core machine two single-threaded processes, each with half of every batch, are several times faster
than one process with two threads, which waits at the end of every operation for whichever thread was interrupted.
`Ensemble` keeps weights, gradients, optimizer state and averaged weights in shared memory: every process adds its
gradient, then updates its own share of the weights.
"""
from __future__ import annotations

import math
import os
import signal
import time
from pathlib import Path
from typing import Callable

import torch
import torch.multiprocessing as multiprocessing
from torch import nn


class Budget:
    """The part of a run that is over, by steps or by minutes, whichever is given; minutes spent in earlier,
    interrupted runs count."""

    def __init__(self, steps: int | None, minutes: float | None, spent: float = 0.0) -> None:
        self.steps, self.minutes = steps, minutes
        self.start = time.monotonic() - spent

    def spent(self) -> float:
        """Seconds so far."""
        return time.monotonic() - self.start

    def fraction(self, step: int) -> float:
        """How much of the budget is used up, from 0 to 1."""
        by_steps = step / self.steps if self.steps else 0.0
        by_minutes = self.spent() / 60 / self.minutes if self.minutes else 0.0
        return min(1.0, max(by_steps, by_minutes))


def rate_factor(fraction: float, step: int, warm_up: int, hold: float) -> float:
    """The learning rate's course: a linear start of `warm_up` steps, 1 until the fraction `hold`, then half a cosine
    down to 0."""
    falling = 0.5 + 0.5 * math.cos(math.pi * max(0.0, fraction - hold) / (1 - hold))
    return min(1.0, (step + 1) / warm_up) * falling


class Shared:
    """What the processes of an ensemble have in common. `control` holds: whether to go on, and the fraction of the
    budget that is spent, as the first process sees them."""

    def __init__(self, size: int, processes: int) -> None:
        def zeros(*shape: int) -> torch.Tensor:
            return torch.zeros(*shape).share_memory_()

        self.weights, self.first, self.second, self.average = zeros(size), zeros(size), zeros(size), zeros(size)
        self.gradients = zeros(processes, size)
        self.control = torch.zeros(2, dtype=torch.float64).share_memory_()
        self.losses = torch.zeros(processes, 8, dtype=torch.float64).share_memory_()
        self.barrier = multiprocessing.get_context("spawn").Barrier(processes)
        self.processes = processes


class Ensemble:
    """One process's view of the shared training of a model: AdamW with a moving average of the weights.

    Only parameters that require a gradient take part; the models here have no other state.
    """

    def __init__(self, model: nn.Module, shared: Shared, rank: int, decay: float = 0.999, weight_decay: float = 1e-4,
                 betas: tuple[float, float] = (0.9, 0.99), clip: float = 1.0) -> None:
        self.shared, self.rank = shared, rank
        self.decay, self.weight_decay, self.betas, self.clip = decay, weight_decay, betas, clip
        self.named = [(name, value) for name, value in model.named_parameters() if value.requires_grad]
        size = sum(value.numel() for _, value in self.named)
        share = -(-size // shared.processes)
        self.mine = slice(rank * share, min(size, (rank + 1) * share))
        self.step = 0
        if rank == 0:
            self.fill(shared.weights, {name: value.detach() for name, value in self.named})
            shared.average.copy_(shared.weights)
        shared.barrier.wait()
        for (_, value), weight, gradient in zip(self.named, self._views(shared.weights),
                                                self._views(shared.gradients[rank])):
            value.data, value.grad = weight, gradient

    def _views(self, flat: torch.Tensor) -> list[torch.Tensor]:
        """The parameters' parts of a flat tensor; kernels lie in memory with the channels last."""
        views, start = [], 0
        for _, value in self.named:
            part = flat[start : start + value.numel()]
            start += value.numel()
            if value.dim() == 4:
                outputs, inputs, height, width = value.shape
                views.append(part.view(outputs, height, width, inputs).permute(0, 3, 1, 2))
            else:
                views.append(part.view(value.shape))
        return views

    def fill(self, flat: torch.Tensor, state: dict[str, torch.Tensor]) -> None:
        """Copies named tensors into a flat tensor."""
        for (name, _), view in zip(self.named, self._views(flat)):
            view.copy_(state[name])

    def named_copy(self, flat: torch.Tensor) -> dict[str, torch.Tensor]:
        """A flat tensor as named tensors."""
        return {name: view.clone(memory_format=torch.contiguous_format)
                for (name, _), view in zip(self.named, self._views(flat))}

    def zero_gradient(self) -> None:
        self.shared.gradients[self.rank].zero_()

    @torch.no_grad()
    def update(self, rate: float) -> None:
        """One step of AdamW with the mean of all gradients, each process for its own share."""
        shared, mine = self.shared, self.mine
        shared.barrier.wait()
        self.step += 1
        mean = shared.gradients[:, mine].mean(0)
        shared.losses[self.rank, -1] = float(mean.square().sum())
        shared.barrier.wait()
        norm = math.sqrt(float(shared.losses[:, -1].sum()))
        mean.mul_(min(1.0, self.clip / (norm + 1e-8)))
        weights, first, second = shared.weights[mine], shared.first[mine], shared.second[mine]
        first.lerp_(mean, 1 - self.betas[0])
        second.mul_(self.betas[1]).addcmul_(mean, mean, value=1 - self.betas[1])
        scale = math.sqrt(1 - self.betas[1] ** self.step)
        weights.mul_(1 - rate * self.weight_decay)
        weights.addcdiv_(first, second.sqrt().add_(1e-8 * scale), value=-rate * scale / (1 - self.betas[0] ** self.step))
        keep = min(self.decay, (1 + self.step) / (10 + self.step))
        shared.average[mine].lerp_(weights, 1 - keep)
        shared.barrier.wait()

    def state(self) -> dict:
        """Everything a resumed run needs, in the parameters' own names."""
        shared = self.shared
        return dict(step=self.step, model=self.named_copy(shared.weights), average=self.named_copy(shared.average),
                    first=self.named_copy(shared.first), second=self.named_copy(shared.second))

    def resume(self, state: dict) -> None:
        """Takes up the state of an earlier run."""
        if self.rank == 0:
            self.fill(self.shared.weights, state["model"])
            self.fill(self.shared.average, state["average"])
            self.fill(self.shared.first, state["first"])
            self.fill(self.shared.second, state["second"])
        self.step = state["step"]
        self.shared.barrier.wait()


class StopSignal:
    """True once SIGTERM has arrived."""

    def __init__(self) -> None:
        self.arrived = False
        signal.signal(signal.SIGTERM, self._note)

    def _note(self, *_: object) -> None:
        self.arrived = True

    def __bool__(self) -> bool:
        return self.arrived


class Course:
    """The loop of a training run: counts the budget, agrees among the processes when to end, logs."""

    def __init__(self, ensemble: Ensemble, budget: Budget, stop: StopSignal, names: tuple[str, ...],
                 log_every: int = 50) -> None:
        self.ensemble, self.budget, self.stop, self.names, self.log_every = ensemble, budget, stop, names, log_every
        self.fraction = 0.0
        self.began = time.monotonic()

    def goes_on(self) -> bool:
        """Whether there is a next step; the same answer in every process."""
        shared = self.ensemble.shared
        if self.ensemble.rank == 0:
            fraction = self.budget.fraction(self.ensemble.step)
            shared.control[0] = float(fraction < 1 and not self.stop)
            shared.control[1] = fraction
        shared.barrier.wait()
        self.fraction = float(shared.control[1])
        return bool(shared.control[0])

    def note(self, values: tuple[torch.Tensor, ...]) -> None:
        """Adds the losses of a step; the first process prints their means every so often."""
        losses, step = self.ensemble.shared.losses, self.ensemble.step
        losses[self.ensemble.rank, : len(values)] += torch.stack([value.detach().double() for value in values])
        if step % self.log_every:
            return
        self.ensemble.shared.barrier.wait()
        if self.ensemble.rank == 0:
            means = losses[:, : len(values)].sum(0) / self.log_every / len(losses)
            losses.zero_()
            text = " ".join(f"{name} {float(mean):.4f}" for name, mean in zip(self.names, means))
            pace = (time.monotonic() - self.began) / self.log_every
            print(f"step {step} {text} {pace:.2f} s/step {self.budget.spent() / 60:.1f} min", flush=True)
        self.began = time.monotonic()
        self.ensemble.shared.barrier.wait()


def together(work: Callable, model_size: int, processes: int, *arguments: object) -> None:
    """Runs `work(rank, shared, *arguments)` in every process; SIGTERM reaches the first, which ends the run."""
    shared = Shared(model_size, processes)
    context = multiprocessing.spawn(work, (shared, *arguments), nprocs=processes, join=False, daemon=True)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(context.pids()[0], signal.SIGTERM))
    while not context.join():
        pass


def trained_size(model: nn.Module) -> int:
    """How many numbers an ensemble of this model trains."""
    return sum(value.numel() for value in model.parameters() if value.requires_grad)


def start_process(seed: int, rank: int) -> None:
    """Settles seed and threads in a process of an ensemble."""
    torch.manual_seed(seed * 1000 + rank)
    torch.set_num_threads(1)


def save(state: dict, path: Path) -> None:
    """Writes a checkpoint so that a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, path)


def load(path: Path) -> dict | None:
    """The checkpoint at `path`, if there is one."""
    return torch.load(path, map_location="cpu") if path.exists() else None
