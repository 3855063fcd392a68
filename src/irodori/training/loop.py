"""The training loop of every system, on Hugging Face Accelerate (CPU, one GPU, or many through torchrun)."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader
from tqdm import tqdm

from irodori.checkpoint import Header, save
from irodori.config import to_dict
from irodori.data.compose import compose
from irodori.data.dataset import PairDataset
from irodori.data.draft import Draft
from irodori.data.index import Index
from irodori.data.sample import Sample
from irodori.errors import ConfigError
from irodori.nn.features import Features, load_features
from irodori.systems import build_system, load_system, recipe_system_name
from irodori.systems.base import System
from irodori.systems.recipe import Recipe, TrainingOptions
from irodori.training.run_folder import RunFolder
from irodori.training.schedule import learning_rate_factor
from irodori.training.sheets import write_sheet
from irodori.training.state import averaged, load_state, save_state
from irodori.weights import file_hash

if TYPE_CHECKING:
    from accelerate import Accelerator

_LOWER = "start a new --run with a lower training.learning_rate, or with training.gradient_clip=1.0"


@dataclass(frozen=True, kw_only=True)
class LoopOptions:
    """How a run is carried out; nothing here changes its result.

    workers: processes that make training pairs.  log_every, checkpoint_every, sample_every: in steps.
    stop_after: leave after this many steps of this call (0 = run to the end); the same command continues.
    """

    device: str = "auto"
    workers: int = 0
    log_every: int = 50
    checkpoint_every: int = 500
    sample_every: int = 1000
    stop_after: int = 0
    progress: bool = True


def train(
    recipe: Recipe,
    index: Index,
    run: RunFolder,
    options: LoopOptions,
    initialize: Path | None = None,
    features: Path | None = None,
) -> Path:
    """Trains a recipe on a data set, or continues the run in `run`, and returns the weight file.

    initialize: weights to start from.  features: weights of the frozen network that the perceptual losses use.
    """
    accelerator = make_accelerator(recipe.training, run.root, options.device)
    if recipe.training.batch_size % accelerator.num_processes:
        raise ConfigError(f"training.batch_size must be a multiple of the {accelerator.num_processes} processes")
    inputs = _hashes({"data": index.root / "index.jsonl", "initialize": initialize, "features": features})
    if accelerator.is_main_process:
        run.open(recipe, inputs)
    accelerator.wait_for_everyone()
    session = Session.start(recipe, run, accelerator, initialize, features)
    session.provenance = {"inputs": inputs, "data_licenses": index.about.get("licenses", [])}
    session.work(index, options)
    return run.model


def make_accelerator(options: TrainingOptions, folder: Path, device: str) -> Accelerator:
    """Devices, processes, precision and TensorBoard for a run; ConfigError when the training extra is missing."""
    try:
        from accelerate import Accelerator, DistributedDataParallelKwargs
    except ImportError as error:
        raise ConfigError("training needs more packages: pip install 'irodori[train]'") from error
    if device not in ("auto", "cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
        raise ConfigError(f"--device {device}: not available here; choose auto or cpu")
    return Accelerator(
        cpu=device == "cpu",
        mixed_precision=options.precision,
        log_with="tensorboard",
        project_dir=str(folder),
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )


@dataclass
class Session:
    """A run in memory: the system, its optimizers and averaged weights, and the number of steps done."""

    recipe: Recipe
    run: RunFolder
    accelerator: Accelerator
    system: System
    model: nn.Module  # the system, wrapped for several processes where there are any
    optimizers: dict[str, Optimizer]
    ema: torch.optim.swa_utils.AveragedModel | None
    step: int = 0
    sums: dict[str, Tensor] = field(default_factory=dict)  # of the loss terms since the last line of the log
    provenance: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def start(
        cls, recipe: Recipe, run: RunFolder, accelerator: Accelerator, initialize: Path | None, features: Path | None
    ) -> Session:
        """Builds everything, or restores it from the run's state."""
        torch.manual_seed(recipe.training.seed)
        system = build_system(recipe_system_name(recipe), recipe.system)
        if initialize:
            initialize_from(system, initialize)
        system.to(accelerator.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        ema = averaged(system, recipe.training.ema) if recipe.training.ema else None
        optimizers = make_optimizers(system, recipe.training)
        if features:
            system.use_features(_load_features(recipe, features).to(accelerator.device))
        session = cls(recipe, run, accelerator, system, accelerator.prepare(system), optimizers, ema)
        if run.state.is_file():
            session.step, session.sums = load_state(run.state, session.modules(), optimizers, accelerator.scaler)
        return session

    def modules(self) -> dict[str, nn.Module]:
        """What the state holds, by name."""
        return {"model": self.system} | ({"ema": self.ema} if self.ema is not None else {})

    def result(self) -> System:
        """The system to be saved and shown: the averaged one where there is one."""
        return self.ema.module if self.ema is not None else self.system  # type: ignore[return-value]

    def work(self, index: Index, options: LoopOptions) -> None:
        """Trains from the current step to the end, or for `options.stop_after` steps."""
        total = self.recipe.training.steps
        last = min(total, self.step + options.stop_after) if options.stop_after else total
        is_main = self.accelerator.is_main_process
        if self.step >= last:  # killed between the last state and the end, or simply done
            return
        if is_main:
            self.run.forget_after(self.step)
        self.accelerator.init_trackers("tensorboard")
        validation = _validation_samples(index, self.recipe) if is_main else []
        bar = tqdm(total=total, initial=self.step, unit="step", disable=not (options.progress and is_main))
        started = time.monotonic()
        for batch in self._batches(index, last, options.workers):
            sample = compose(batch.to(self.accelerator.device))
            self._count(self.train_step(sample))
            self.step += 1
            bar.update()
            if self.step % options.log_every == 0 or self.step == total:
                self._log(time.monotonic() - started, sample)
            if is_main and validation and (self.step % options.sample_every == 0 or self.step == total):
                write_sheet(self.run.samples / f"step-{self.step:07d}.png", self.result(), validation)
            if self.step % options.checkpoint_every == 0 or self.step == last:
                self.save()
        bar.close()
        self.accelerator.end_training()

    def train_step(self, batch: Sample) -> dict[str, Tensor]:
        """One step of every phase, in the system's order; returns the loss terms for the log."""
        training = self.recipe.training
        # Random choices inside the losses depend on the step alone, so that a resumed run repeats them.
        torch.manual_seed(training.seed * 1_000_003 + self.step * 1009 + self.accelerator.process_index)
        factor = learning_rate_factor(self.step, training)
        self.system.train()
        logged: dict[str, Tensor] = {}
        for phase in self.system.phases():
            optimizer = self.optimizers[phase.name]
            for group in optimizer.param_groups:
                group["lr"] = training.learning_rate * phase.learning_rate_scale * factor
            self.system.requires_grad_(False)
            for parameter in phase.parameters:
                parameter.requires_grad_(True)
            with self.accelerator.autocast():
                terms = self.model(phase.name, batch)
            optimizer.zero_grad(set_to_none=True)
            self.accelerator.backward(torch.stack([v for k, v in terms.items() if not k.startswith("_")]).sum())
            clipped_step(optimizer, phase.parameters, training.gradient_clip, self.accelerator.scaler)
            logged |= {f"{phase.name}/{name}": value.detach() for name, value in terms.items()}
        if self.ema is not None:
            self.ema.update_parameters(self.system)
        return logged

    def _batches(self, index: Index, last: int, workers: int) -> Iterator[Draft]:
        training = self.recipe.training
        size = self.recipe.system.image_size
        dataset = PairDataset(index, "train", self.recipe.data, size, training.seed, training.images)
        share = training.batch_size // self.accelerator.num_processes
        first = self.accelerator.process_index * share
        plan = [
            range(step * training.batch_size + first, step * training.batch_size + first + share)
            for step in range(self.step, last)
        ]
        loader: DataLoader[Any] = DataLoader(
            dataset, batch_sampler=plan, collate_fn=Draft.collate, num_workers=workers,  # type: ignore[arg-type]
            worker_init_fn=_one_thread, pin_memory=self.accelerator.device.type == "cuda",
            # Not forked: a copy of OpenCV's thread pool without its threads waits forever.
            multiprocessing_context="spawn" if workers else None,
        )  # fmt: skip
        return iter(loader)

    def _count(self, terms: dict[str, Tensor]) -> None:
        for key, value in {**terms, "count": torch.ones((), device=self.accelerator.device)}.items():
            self.sums[key] = self.sums[key] + value if key in self.sums else value

    def _log(self, seconds: float, sample: Sample) -> None:
        sums = self.accelerator.reduce(self.sums, "mean")
        self.sums = {}
        row = {key: (value / sums["count"]).item() for key, value in sums.items() if key != "count"}
        broken = [key for key, value in row.items() if not math.isfinite(value)]
        if broken:
            raise ConfigError(f"{self.run.root}: {broken[0]} is not finite at step {self.step}; {_LOWER}")
        row |= {f"health/{name}": value for name, value in self.system.health(sample).items()}
        self.accelerator.log(row, step=self.step)
        if self.accelerator.is_main_process:
            factor = learning_rate_factor(self.step - 1, self.recipe.training)
            images = self.step * self.recipe.training.batch_size
            rate = self.recipe.training.learning_rate * factor
            self.run.log(
                {"step": self.step, "images": images, "learning_rate": rate, "seconds": round(seconds, 2), **row}
            )

    def save(self) -> None:
        """Writes the weights as they are now, then the state; refuses to replace good ones by broken ones."""
        self.sums = self.accelerator.reduce(self.sums, "mean")
        if not self.accelerator.is_main_process:
            return
        broken = [key for key, value in self.system.state_dict().items() if not value.isfinite().all()]
        if broken:
            raise ConfigError(f"{self.run.root}: {broken[0]} is not finite at step {self.step}; {_LOWER}")
        # The state comes last: when it says "done", the weights are there.
        save(self.run.model, header_of(self.recipe, self.step, self.provenance), self.result().state_dict())
        save_state(self.run.state, self.step, self.modules(), self.optimizers, self.sums, self.accelerator.scaler)


def initialize_from(system: System, path: Path) -> None:
    """Starts from the weights of another run of the same network (its training size may differ)."""
    system.start_from(path, load_system(path))


def clipped_step(
    optimizer: Optimizer, parameters: Sequence[nn.Parameter], largest_norm: float, scaler: Any = None
) -> None:
    """An optimizer step with gradients of at most `largest_norm` (0 = any), under a gradient scaler if there is one."""
    if scaler is not None:
        scaler.unscale_(optimizer)
    if largest_norm:
        torch.nn.utils.clip_grad_norm_(parameters, largest_norm)
    if scaler is None:
        optimizer.step()
        return
    scaler.step(optimizer)
    scaler.update()


def make_optimizers(system: System, options: TrainingOptions) -> dict[str, Optimizer]:
    """One Adam (AdamW where there is weight decay) for each phase."""
    kind = torch.optim.AdamW if options.weight_decay else torch.optim.Adam
    return {
        phase.name: kind(
            phase.parameters, lr=options.learning_rate, betas=options.betas, weight_decay=options.weight_decay
        )
        for phase in system.phases()
    }


def header_of(recipe: Recipe, step: int, more: Mapping[str, Any] | None = None) -> Header:
    """What a weight file says about the run that made it."""
    provenance = {
        **(more or {}),
        "preset": recipe.name,
        "step": step,
        "images": step * recipe.training.batch_size,
        "data": to_dict(recipe.data),
        "training": to_dict(recipe.training),
    }
    return Header(recipe_system_name(recipe), to_dict(recipe.system), provenance)


def _hashes(files: Mapping[str, Path | None]) -> dict[str, str]:
    """SHA-256 of what a run starts from, by role; a missing file is reported by whoever opens it."""
    return {role: file_hash(path) for role, path in files.items() if path is not None and path.is_file()}


def _load_features(recipe: Recipe, path: Path) -> Features:

    return load_features(getattr(recipe.system, "features", ""), path)


def _validation_samples(index: Index, recipe: Recipe, count: int = 6) -> list[Sample]:
    if not index.select("val"):
        return []
    named = any(part.name for item in index.select("val") for part in item.parts)
    data = recipe.data if named else replace(recipe.data, recolor_share=0.0)
    dataset = PairDataset(index, "val", data, recipe.system.image_size, seed=12345, length=count)
    return [compose(dataset[i]) for i in range(count)]


def _one_thread(worker: int) -> None:
    import cv2

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
