"""A project on a Ray cluster, by Ray Data: each worker holds the model and takes the next piece of work.

A worker that dies is replaced and its piece is given out again; what it had written is found there and skipped, so that
nothing is lost and nothing is colored twice.  The project's folder must be at the same path on all machines.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from irodori.errors import MissingPackageError
from irodori.inference.guidance import is_mask
from irodori.inference.plan import Job
from irodori.projects.work import Finished, Work, do_work
from irodori.weights import resolve

if TYPE_CHECKING:
    from irodori.projects.run import RunOptions


class Worker:
    """What Ray starts on the machines of the cluster: loads the model once, then colors piece after piece."""

    def __init__(self, model: str, device: str, offline: bool, overwrite: bool) -> None:
        from irodori.inference.batch import Runner
        from irodori.inference.colorizer import Colorizer

        self.runner, self.overwrite = Runner(Colorizer.from_pretrained(model, device, offline)), overwrite

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
        """A batch of one pickled `Work` to one pickled list of `Finished`."""
        found: list[Finished] = []
        for piece in batch["work"]:
            found += do_work(self.runner, pickle.loads(piece), overwrite=self.overwrite)
        return {"finished": [pickle.dumps(found)]}


def run_on_ray(work: list[Work], model: str, options: RunOptions) -> Iterator[Finished]:
    """Yields drawings as their pieces are finished; InputError and WeightsError beforehand, as without Ray.

    On the cluster that RAY_ADDRESS names, else on one that is started on this machine.
    """
    ray = _ray()
    resolve(model, options.offline)  # weights that are missing are told here and not by every worker
    started = not ray.is_initialized()
    if started:
        ray.init(log_to_driver=False, include_dashboard=False, logging_level="error")
    try:
        yield from _results(ray, [_absolute(one) for one in work], model, options)
    finally:
        if started:
            ray.shutdown()


def _results(ray: Any, work: list[Work], model: str, options: RunOptions) -> Iterator[Finished]:
    ray.data.DataContext.get_current().enable_progress_bars = False
    gpus = 1 if options.device != "cpu" and ray.cluster_resources().get("GPU") else 0
    room = ray.cluster_resources().get("GPU" if gpus else "CPU", 1)
    workers = options.workers or max(1, min(int(room), len(work)))
    pieces = ray.data.from_items([{"work": pickle.dumps(one)} for one in work], override_num_blocks=len(work))
    finished = pieces.map_batches(
        Worker,
        fn_constructor_args=(_model(model), options.device, options.offline, options.overwrite),
        batch_size=1,
        concurrency=workers,
        num_cpus=0 if gpus else 1,
        num_gpus=gpus,
    )
    for row in finished.iter_rows():
        yield from pickle.loads(row["finished"])


def _model(name: str) -> str:
    """A model that is a path here, as a path that workers understand, whose folder is another."""
    return str(Path(name).resolve()) if Path(name).exists() else name


def _absolute(work: Work) -> Work:
    """The same work with paths that do not depend on the folder in which a worker runs."""
    layer = work.options.hint_layer
    options = replace(work.options, hint_layer=layer and layer.absolute())
    return replace(work, jobs=tuple(map(_absolute_job, work.jobs)), options=options)


def _absolute_job(job: Job) -> Job:
    return replace(
        job,
        sketch=job.sketch.absolute(),
        references=tuple(path.absolute() for path in job.references),
        output=job.output.absolute(),
        parts=tuple(str(Path(part).absolute()) if is_mask(part) else part for part in job.parts),
    )


def _ray() -> Any:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingPackageError("the engine ray needs more packages: pip install 'irodori[cluster]'") from error
    return ray
