"""ONNX Runtime, which is optional, imported so that it stays on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from irodori.errors import MissingPackageError, WeightsError

Arrays = Mapping[str, NDArray[np.float32]]


def is_installed() -> bool:
    """Whether ONNX Runtime could be imported."""
    return find_spec("onnxruntime") is not None


def import_onnxruntime() -> Any:
    """The module `onnxruntime`; MissingPackageError, naming the extra, where it is not installed.

    Its builds (seen in 1.32) carry a telemetry client, which from the import on keeps an identifier in the user's
    cache, unless this variable forbids it before.  Who wants that can set it to 0.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingPackageError("onnxruntime is not installed: pip install 'irodori[export]'") from error
    return onnxruntime


def providers(available: Sequence[str]) -> list[tuple[str, dict[str, str]]]:
    """What computes a graph, best first: OpenVINO where its build of ONNX Runtime is installed, else the CPU's own."""
    openvino = {"device_type": "CPU", "precision": "FP32", "num_of_threads": str(torch.get_num_threads())}
    wanted = [("OpenVINOExecutionProvider", openvino), ("CPUExecutionProvider", {})]
    return [(name, options) for name, options in wanted if name in available]


class Session:
    """One graph, ready to compute on the CPU with as many threads as torch uses."""

    def __init__(self, data: bytes) -> None:
        """Raises WeightsError for what is not a graph."""
        runtime = import_onnxruntime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3  # errors alone
        try:
            self._session = runtime.InferenceSession(
                data, options, providers=providers(runtime.get_available_providers())
            )
        except Exception as error:  # its errors have no common base
            reason = str(error).split("\n")[0]
            raise WeightsError(f"a graph cannot be opened by onnxruntime ({reason}): export it again") from error

    @cached_property
    def metadata(self) -> dict[str, str]:
        """What the file says about itself (`irodori.export.onnx_files`)."""
        return dict(self._session.get_modelmeta().custom_metadata_map)

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        return tuple(one.name for one in self._session.get_inputs())

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        return tuple(one.name for one in self._session.get_outputs())

    def __call__(self, given: Arrays) -> dict[str, NDArray[np.float32]]:
        """Outputs by name; of what is given, it takes its inputs."""
        found = self._session.run(None, {name: given[name] for name in self.inputs})
        return dict(zip(self.outputs, found, strict=True))
