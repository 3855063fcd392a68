"""The loop: exact resume, run folders, refusals, several processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from irodori.checkpoint import read_header, read_tensors
from irodori.data.index import Index, read_index
from irodori.errors import ConfigError, WeightsError
from irodori.systems import build_system, preset
from irodori.systems.recipe import Recipe
from irodori.systems.scft.system import SCFT
from irodori.training.loop import LoopOptions, Session, clipped_step, train
from irodori.training.run_folder import RunFolder

RECIPE = replace(preset("scft/tiny"), training=replace(preset("scft/tiny").training, images=48))
QUIET = LoopOptions(device="cpu", progress=False, log_every=2, checkpoint_every=2)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return read_tensors(folder / "model.safetensors")


def stats(folder: Path) -> list[dict]:
    rows = [json.loads(line) for line in (folder / "stats.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def command(dataset: Index, run: Path, *more: str) -> list[str]:
    return [
        sys.executable, "-m", "irodori", "train", "--preset", "scft/tiny", "--data", str(dataset.root),
        "--run", str(run), "--device", "cpu", "--threads", "1", "--log-every", "5", "--checkpoint-every", "5", *more,
    ]  # fmt: skip


def test_stopped_and_continued_equals_straight_through(dataset: Index, tmp_path: Path):
    train(RECIPE, dataset, RunFolder(tmp_path / "once"), QUIET)
    for _ in range(3):
        train(RECIPE, dataset, RunFolder(tmp_path / "often"), replace(QUIET, stop_after=4))
    assert stats(tmp_path / "once") == stats(tmp_path / "often")
    for key, value in weights(tmp_path / "once").items():
        assert torch.equal(value, weights(tmp_path / "often")[key]), key


def test_killed_at_any_moment_and_started_again_equals_straight_through(dataset: Index, tmp_path: Path):
    """kill -9 in the middle, the same command again: the same weights and statistics, bit for bit."""
    longer = ("--set", "training.images=400")
    subprocess.run(command(dataset, tmp_path / "once", *longer), check=True, capture_output=True)
    process = subprocess.Popen(command(dataset, tmp_path / "killed", *longer), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (tmp_path / "killed" / "state.safetensors").is_file() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    done = json.loads((tmp_path / "killed" / "stats.jsonl").read_text().splitlines()[-1])["step"]
    assert done < 100, "the run was over before it was killed"
    subprocess.run(command(dataset, tmp_path / "killed", *longer), check=True, capture_output=True)
    assert stats(tmp_path / "once") == stats(tmp_path / "killed")
    for key, value in weights(tmp_path / "once").items():
        assert torch.equal(value, weights(tmp_path / "killed")[key]), key


def test_a_finished_run_is_left_alone(dataset: Index, tmp_path: Path):
    path = train(RECIPE, dataset, RunFolder(tmp_path), QUIET)
    before = path.stat().st_mtime_ns
    assert train(RECIPE, dataset, RunFolder(tmp_path), QUIET) == path
    assert path.stat().st_mtime_ns == before


def test_another_seed_gives_other_weights(dataset: Index, tmp_path: Path):
    other = replace(RECIPE, training=replace(RECIPE.training, seed=5))
    train(RECIPE, dataset, RunFolder(tmp_path / "a"), QUIET)
    train(other, dataset, RunFolder(tmp_path / "b"), QUIET)
    key = "generator.decoder.to_image.weight"
    assert not torch.equal(weights(tmp_path / "a")[key], weights(tmp_path / "b")[key])


def test_a_folder_of_another_recipe_is_refused(dataset: Index, tmp_path: Path):
    train(RECIPE, dataset, RunFolder(tmp_path), replace(QUIET, stop_after=2))
    with pytest.raises(ConfigError, match="holds another run, with other training"):
        train(preset("scft/tiny"), dataset, RunFolder(tmp_path), QUIET)


def test_a_damaged_state_is_refused(dataset: Index, tmp_path: Path):
    train(RECIPE, dataset, RunFolder(tmp_path), replace(QUIET, stop_after=2))
    (tmp_path / "state.safetensors").write_bytes(b"short")
    with pytest.raises(WeightsError, match="state.safetensors"):
        train(RECIPE, dataset, RunFolder(tmp_path), QUIET)


def test_the_weight_file_says_how_it_was_made(dataset: Index, tmp_path: Path):
    header = read_header(train(RECIPE, dataset, RunFolder(tmp_path), QUIET))
    assert header.system == "scft"
    assert header.provenance["images"] == 48
    assert header.provenance["preset"] == "scft/tiny"
    assert header.config["channels"] == list(RECIPE.system.channels)


def test_starting_weights_are_used(dataset: Index, tmp_path: Path):
    path = train(RECIPE, dataset, RunFolder(tmp_path / "first"), QUIET)
    frozen: Recipe = replace(RECIPE, training=replace(RECIPE.training, learning_rate=1e-12, ema=0.0, images=4))
    train(frozen, dataset, RunFolder(tmp_path / "second"), QUIET, initialize=path)
    key = "generator.decoder.to_image.weight"
    torch.testing.assert_close(weights(tmp_path / "second")[key], weights(tmp_path / "first")[key])


def test_two_processes_train_one_system(dataset: Index, tmp_path: Path):
    """torchrun with two processes: half the batch each, one set of weights, as many images as asked."""
    # "--": otherwise torchrun takes our --run for an abbreviation of its own --run-path.
    launcher = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc_per_node",
        "2",
        "--master_port",
        "29517",
        "-m",
        "--",
    ]
    arguments = command(dataset, tmp_path, "--set", "training.images=32")[2:]
    done = subprocess.run([*launcher, *arguments], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]
    assert read_header(tmp_path / "model.safetensors").provenance["images"] == 32
    assert all(value.isfinite().all() for value in weights(tmp_path).values())
    odd = subprocess.run(
        [*launcher, *arguments, "--set", "training.batch_size=3"], capture_output=True, text=True, timeout=200
    )
    assert "multiple of the 2 processes" in odd.stderr


def test_worker_processes_make_the_same_pairs(dataset: Index, tmp_path: Path):
    """A process that used OpenCV before must not hand its dead threads to its workers (it hung)."""
    for workers in (0, 2):
        options = replace(QUIET, workers=workers, stop_after=3)
        train(RECIPE, dataset, RunFolder(tmp_path / str(workers)), options)
    for key, value in weights(tmp_path / "0").items():
        assert torch.equal(value, weights(tmp_path / "2")[key]), key


@pytest.fixture
def fresh_accelerate():
    """Accelerate keeps its precision for the life of a process."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.usefixtures("fresh_accelerate")
def test_half_precision_trains(dataset: Index, tmp_path: Path):
    recipe = replace(RECIPE, training=replace(RECIPE.training, precision="bf16", gradient_clip=1.0))
    path = train(recipe, dataset, RunFolder(tmp_path), QUIET)
    assert all(
        value.dtype in (torch.float32, torch.int64) and value.isfinite().all() for value in read_tensors(path).values()
    )


def test_tensorboard_and_sample_sheets_are_written(dataset: Index, tmp_path: Path):
    train(RECIPE, dataset, RunFolder(tmp_path), replace(QUIET, sample_every=6))
    assert list((tmp_path / "tensorboard").rglob("events.out.tfevents.*"))
    assert sorted(path.name for path in (tmp_path / "samples").iterdir()) == ["step-0000006.png", "step-0000012.png"]


def test_averaged_weights_follow_the_trained_ones(dataset: Index, tmp_path: Path):
    """After one step at decay d the average is d * first + (1 - d) * second; torch starts it at the first update."""
    recipe = replace(RECIPE, training=replace(RECIPE.training, ema=0.75))
    train(recipe, dataset, RunFolder(tmp_path), replace(QUIET, stop_after=2))
    state = read_tensors(tmp_path / "state.safetensors")
    key = "generator.decoder.to_image.weight"
    second, average = state[f"model/{key}"], state[f"ema/module.{key}"]
    torch.testing.assert_close(weights(tmp_path)[key], average)
    train(recipe, dataset, RunFolder(tmp_path), replace(QUIET, stop_after=1))
    state = read_tensors(tmp_path / "state.safetensors")
    torch.testing.assert_close(state[f"ema/module.{key}"], 0.75 * average + 0.25 * state[f"model/{key}"])
    assert not torch.equal(second, average)


def test_lines_of_the_log_survive_checkpoints_between_them(dataset: Index, tmp_path: Path):
    options = replace(QUIET, log_every=5, checkpoint_every=3)
    train(RECIPE, dataset, RunFolder(tmp_path / "once"), options)
    for steps in (3, 4, 5):
        train(RECIPE, dataset, RunFolder(tmp_path / "often"), replace(options, stop_after=steps))
    assert [row["step"] for row in stats(tmp_path / "once")] == [5, 10, 12]
    for first, second in zip(stats(tmp_path / "once"), stats(tmp_path / "often"), strict=True):
        assert first == pytest.approx(second, rel=1e-6)


def test_a_state_that_says_done_has_its_weights(dataset: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Killed between the two files, the state must be the one that is missing."""

    def killed(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("irodori.training.loop.save_state", killed)
    with pytest.raises(KeyboardInterrupt):
        train(RECIPE, dataset, RunFolder(tmp_path), replace(QUIET, checkpoint_every=12))
    assert read_header(tmp_path / "model.safetensors").provenance["step"] == 12
    assert not (tmp_path / "state.safetensors").exists()


def test_broken_weights_never_replace_good_ones(dataset: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    train(RECIPE, dataset, RunFolder(tmp_path), replace(QUIET, stop_after=2))
    sound = Session.train_step

    def poisoned(self, batch):
        terms = sound(self, batch)
        self.system.generator.decoder.to_image.bias.data.fill_(float("nan"))
        return terms

    monkeypatch.setattr(Session, "train_step", poisoned)
    with pytest.raises(ConfigError, match=r"to_image.bias is not finite at step 3; .* lower training.learning_rate"):
        train(RECIPE, dataset, RunFolder(tmp_path), replace(QUIET, checkpoint_every=1))
    for name in ("state", "model"):
        assert all(value.isfinite().all() for value in read_tensors(tmp_path / f"{name}.safetensors").values())
    monkeypatch.undo()
    train(RECIPE, dataset, RunFolder(tmp_path), QUIET)


def test_clipping_means_the_true_gradient_under_a_gradient_scaler():
    """fp16 multiplies gradients by 65536; they are divided before they are clipped."""
    weight = torch.nn.Parameter(torch.zeros(4))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    scaler = torch.amp.GradScaler("cpu", init_scale=65536.0)
    scaler.scale((weight * torch.tensor([3.0, 0.0, 4.0, 0.0])).sum()).backward()
    clipped_step(optimizer, [weight], 1.0, scaler)
    torch.testing.assert_close(weight.detach(), torch.tensor([-0.6, 0.0, -0.8, 0.0]))


def test_other_data_is_not_taken_for_the_same_run(dataset: Index, tmp_path: Path):
    train(RECIPE, dataset, RunFolder(tmp_path / "run"), replace(QUIET, stop_after=2))
    shutil.copytree(dataset.root, tmp_path / "data")
    index = tmp_path / "data" / "index.jsonl"
    index.write_text("".join(index.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(ConfigError, match="other inputs"):
        train(RECIPE, read_index(tmp_path / "data"), RunFolder(tmp_path / "run"), QUIET)


def test_validation_without_named_parts_is_no_obstacle(dataset: Index, tmp_path: Path):
    items = tuple(
        replace(item, parts=tuple(replace(part, name="") for part in item.parts)) if item.split == "val" else item
        for item in dataset.items
    )
    recipe = replace(RECIPE, data=replace(RECIPE.data, recolor_share=0.5))
    assert train(recipe, replace(dataset, items=items), RunFolder(tmp_path), replace(QUIET, stop_after=1)).is_file()


@pytest.mark.parametrize(
    "wrong",
    [{"warmup_images": -100}, {"gradient_clip": -1.0}, {"betas": (2.0, 2.0)}, {"weight_decay": -1.0}, {"seed": -1},
     {"learning_rate": -1.0}, {"learning_rate": float("nan")}, {"ema": 1.0}, {"batch_size": 0}, {"images": 2}],
)  # fmt: skip
def test_impossible_training_options_are_refused(wrong: dict):
    with pytest.raises(ConfigError, match="training"):
        replace(RECIPE.training, **wrong)


def test_starting_weights_of_another_shape_are_refused(dataset: Index, tmp_path: Path):
    path = train(RECIPE, dataset, RunFolder(tmp_path / "first"), replace(QUIET, stop_after=1))
    wider = replace(RECIPE, system=replace(RECIPE.system, bottleneck_channels=6))
    with pytest.raises(WeightsError, match="do not fit"):
        train(wider, dataset, RunFolder(tmp_path / "second"), QUIET, initialize=path)


def test_the_schedule_reaches_the_optimizers(dataset: Index, tmp_path: Path):
    """With an endless warm-up the rate stays near zero, and so nothing moves."""
    still = replace(RECIPE.training, warmup_images=10**12, ema=0.0)
    train(replace(RECIPE, training=still), dataset, RunFolder(tmp_path), QUIET)
    torch.manual_seed(still.seed)
    fresh = dict(build_system("scft", RECIPE.system).named_parameters())
    for key, value in weights(tmp_path).items():
        if key in fresh:
            torch.testing.assert_close(value, fresh[key].detach(), rtol=0, atol=1e-6)


def test_every_step_draws_other_numbers_and_every_run_the_same(
    dataset: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    drawn: list[float] = []
    sound = SCFT.losses

    def listening(self, phase, batch):
        if phase == "generator":
            drawn.append(torch.rand(()).item())
        return sound(self, phase, batch)

    monkeypatch.setattr(SCFT, "losses", listening)
    train(RECIPE, dataset, RunFolder(tmp_path / "a"), QUIET)
    torch.rand(7)
    train(RECIPE, dataset, RunFolder(tmp_path / "b"), QUIET)
    assert len(set(drawn)) == 12
    assert drawn[:12] == drawn[12:]
