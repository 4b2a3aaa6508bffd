"""All benchmarks, in the order in which they run and are reported."""

import dataclasses

from benchmarks import train_throughput
from benchmarks.subjects import SUBJECTS

THROUGHPUT = "train_throughput"


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """A result and the command that makes it.

    Args:
        name: of the result, <name>.json.
        module: in `benchmarks`.
        title: of its section.
        arguments: of the command, beside --out.
        peers: flags that take a Python interpreter, by the setting of the
            command `python -m benchmarks` that holds it.
        many: the result is one of many of its module, which share a table.
    """

    name: str
    module: str
    title: str
    arguments: tuple[str, ...] = ()
    peers: tuple[tuple[str, str], ...] = ()
    many: bool = False

    def command(self, config=None):
        """The words after `python`; with a config those of its peers."""
        words = ["-m", f"benchmarks.{self.module}", *self.arguments]
        for flag, setting in self.peers:
            python = getattr(config, setting) if config else "PYTHON"
            words += [flag, python] if python else []
        return words


def _throughput(model, precision):
    arguments, name = ("--model", model), f"{THROUGHPUT}-{model}"
    if precision != "float32":
        arguments += ("--precision", precision)
        name += f"-{precision}"
    peers = (("--pythae-python", "torch_python"),) if model == "vae" else ()
    return Benchmark(
        name,
        THROUGHPUT,
        train_throughput.__doc__.partition("\n")[0],
        arguments,
        peers,
        many=True,
    )


PRECISIONS = ("float32", "mixed_bfloat16")
BENCHMARKS = (
    *(
        _throughput(model, precision)
        for precision in PRECISIONS
        for model in SUBJECTS
    ),
    Benchmark("matrix_products", "matrix_products", "Matrix products"),
    Benchmark(
        "vq_vae_throughput",
        "vq_vae_throughput",
        "Convolutional VQ-VAE",
        peers=(
            ("--torch-python", "torch_python"),
            ("--sonnet-python", "sonnet_python"),
        ),
    ),
    Benchmark(
        "log_likelihood",
        "log_likelihood",
        "Log-likelihood",
        peers=(("--pythae-python", "torch_python"),),
    ),
    Benchmark(
        "log_likelihood_memory",
        "log_likelihood_memory",
        "Memory of the log-likelihood",
    ),
    Benchmark("cached_sampling", "cached_sampling", "PixelSNAIL sampling"),
    Benchmark("diffusion_sampling", "diffusion_sampling", "Diffusion sampling"),
    Benchmark(
        "quantizer",
        "quantizer",
        "Vector quantisation",
        peers=(("--peer-python", "torch_python"),),
    ),
    Benchmark("nearest_codes", "nearest_codes", "Nearest codes"),
    Benchmark("data_loading", "data_loading", "Data loading"),
    Benchmark("import_time", "import_time", "Import"),
    Benchmark("resident_memory", "resident_memory", "Memory of a long run"),
    Benchmark("scaling", "scaling", "Scaling"),
)
