"""Does another engine run the network faster?  ``python benchmarks/engines.py [MODEL] [SIZE…]``, one thread.

Prints milliseconds for one coloring by the network alone, sketch and reference given: eager PyTorch, `torch.compile`
(and what compiling costs), ONNX Runtime where `onnx`, `onnxscript` and `onnxruntime` are installed.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from irodori.systems import System, load_system
from irodori.systems.base import Guidance, Noise
from irodori.weights import DEFAULT, resolve


class OneColoring(nn.Module):
    """Sketch and reference in, image out."""

    def __init__(self, system: System) -> None:
        super().__init__()
        self.system = system

    def forward(self, sketch: Tensor, reference: Tensor) -> Tensor:
        code = self.system.encode_sketch(sketch)
        references = self.system.encode_references([reference], like=sketch)
        return self.system.paint(code, references, Noise((0,)), Guidance()).image


def milliseconds(work: Callable[[], object], rounds: int = 9) -> float:
    """Median of some rounds after two that warm up."""
    seconds = []
    for _ in range(rounds + 2):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return 1000 * sorted(seconds[2:])[rounds // 2]


def onnx_runtime(model: nn.Module, inputs: tuple[Tensor, Tensor]) -> Callable[[], object]:
    """Exports the model and returns a call of it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        torch.onnx.export(model, inputs, path, dynamo=True, verbose=False)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    named = {place.name: value.numpy() for place, value in zip(session.get_inputs(), inputs, strict=True)}
    return lambda: session.run(None, named)


torch.set_num_threads(1)
model = OneColoring(load_system(resolve(sys.argv[1] if len(sys.argv) > 1 else DEFAULT))).eval()
model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
for size in [int(word) for word in sys.argv[2:]] or [128, 256]:
    inputs = (torch.rand(1, 1, size, size) * 2 - 1, torch.rand(1, 3, size, size) * 2 - 1)
    with torch.inference_mode():
        eager = milliseconds(lambda: model(*inputs))  # noqa: B023
        compiled = torch.compile(model)
        start = time.perf_counter()
        compiled(*inputs)
        cost = time.perf_counter() - start
        fused = milliseconds(lambda: compiled(*inputs))  # noqa: B023
    line = f"{size}²: eager {eager:.0f} ms, torch.compile {fused:.0f} ms (after {cost:.0f} s)"
    try:
        print(f"{line}, ONNX Runtime {milliseconds(onnx_runtime(model, inputs)):.0f} ms", flush=True)
    except ImportError:
        print(f"{line}; ONNX Runtime is not installed", flush=True)
