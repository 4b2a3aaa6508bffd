"""The quantizer of vector-quantize-pytorch, in a process of its own.

    PYTHON quantizer_worker.py VECTORS.npy CODES < orders

quantizes the vectors (batch, positions, dim), in training, as often as a number
says whenever a line with it comes in, and answers with one line of JSON: the
seconds, and the mean squared error of the last time. The first line of the
answer holds the versions.
"""

import json
import sys
import time
from importlib import metadata

import numpy as np
import torch
from vector_quantize_pytorch import VectorQuantize


def main(path, num_codes):
    z = torch.from_numpy(np.load(path))
    # As the library's: the first codes are vectors of the data, and codes
    # that nothing chooses are put upon others.
    quantizer = VectorQuantize(
        dim=z.shape[-1],
        codebook_size=int(num_codes),
        decay=0.99,
        commitment_weight=0.25,
        kmeans_init=False,
        threshold_ema_dead_code=1,
    )
    quantizer.train()
    packages = ("torch", "vector-quantize-pytorch")
    versions = {name: metadata.version(name) for name in packages}
    print(json.dumps(versions), flush=True)
    for line in sys.stdin:
        started = time.perf_counter()
        for _ in range(int(line)):
            with torch.no_grad():
                chosen, _, _ = quantizer(z)
        error = float((chosen - z).square().mean())
        answer = {"seconds": time.perf_counter() - started, "loss": error}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
