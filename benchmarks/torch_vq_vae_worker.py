"""A VQ-VAE of 32x32 colour images in PyTorch, in a process of its own.

    PYTHON torch_vq_vae_worker.py IMAGES.npy BATCH_SIZE < orders

trains layers, sizes and optimizer of Sonnet's example, in float32, whenever a
line with a number of steps comes in, and answers with one line of JSON: the
seconds, and the loss of the last step. Nothing of this project is imported:
PYTHON may be of another environment. The first line of the answer holds the
versions.
"""

import json
import sys
import time
from importlib import metadata

import numpy as np
import torch
from torch import nn

FILTERS, RESIDUAL_FILTERS, RESIDUAL_LAYERS = 128, 32, 2
CODES, CODE_DIM = 512, 64
COMMITMENT, DECAY, EPSILON = 0.25, 0.99, 1e-5
LEARNING_RATE = 3e-4


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self._layers = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(FILTERS, RESIDUAL_FILTERS, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(RESIDUAL_FILTERS, FILTERS, 1),
        )

    def forward(self, x):
        return x + self._layers(x)


def residual_stack():
    return nn.Sequential(
        *(Residual() for _ in range(RESIDUAL_LAYERS)), nn.ReLU()
    )


class Quantizer(nn.Module):
    """Nearest codes, which are moving averages."""

    def __init__(self):
        super().__init__()
        codes = torch.randn(CODES, CODE_DIM)
        self.register_buffer("_codes", codes)
        self.register_buffer("_sums", codes.clone())
        self.register_buffer("_counts", torch.ones(CODES))

    def forward(self, z):
        z = z.permute(0, 2, 3, 1)
        flat = z.reshape(-1, CODE_DIM)
        with torch.no_grad():
            norms = self._codes.square().sum(1)
            index = (norms - 2.0 * flat @ self._codes.T).argmin(1)
            chosen = self._codes[index].reshape(z.shape)
            counts = torch.bincount(index, minlength=CODES).float()
            sums = torch.zeros_like(self._sums).index_add_(0, index, flat)
            self._counts.mul_(DECAY).add_(counts, alpha=1.0 - DECAY)
            self._sums.mul_(DECAY).add_(sums, alpha=1.0 - DECAY)
            total = self._counts.sum()
            share = (self._counts + EPSILON) / (total + CODES * EPSILON)
            self._codes.copy_(self._sums / (share * total)[:, None])
        loss = COMMITMENT * (z - chosen).square().mean()
        return (z + (chosen - z).detach()).permute(0, 3, 1, 2), loss


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        half = FILTERS // 2
        self._encoder = nn.Sequential(
            nn.Conv2d(3, half, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(half, FILTERS, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(FILTERS, FILTERS, 3, padding=1),
            residual_stack(),
            nn.Conv2d(FILTERS, CODE_DIM, 1),
        )
        self._quantizer = Quantizer()
        self._decoder = nn.Sequential(
            nn.Conv2d(CODE_DIM, FILTERS, 3, padding=1),
            residual_stack(),
            nn.ConvTranspose2d(FILTERS, half, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(half, 3, 4, 2, 1),
        )

    def forward(self, x, variance):
        z, loss = self._quantizer(self._encoder(x))
        error = (self._decoder(z) - x).square().mean()
        return error / variance + loss


class Trainer:
    """Whole gathered batches, the memory format that is fast on a CPU."""

    def __init__(self, images, batch_size):
        layout = torch.channels_last
        images = torch.from_numpy(images).permute(0, 3, 1, 2)
        self._x = images.contiguous(memory_format=layout)
        self._variance = float(self._x.var())
        self._batch_size = batch_size
        self._model = Model().to(memory_format=layout)
        self._optimizer = torch.optim.Adam(
            self._model.parameters(), LEARNING_RATE, fused=True
        )
        self._rows = iter(())

    def _batch(self):
        rows = next(self._rows, None)
        if rows is None or len(rows) < self._batch_size:
            order = torch.randperm(len(self._x))
            self._rows = iter(order.split(self._batch_size))
            rows = next(self._rows)
        return self._x[rows]

    def train(self, steps):
        for _ in range(steps):
            loss = self._model(self._batch(), self._variance)
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
        return float(loss.detach())


def main(path, batch_size):
    images = np.load(path).astype("float32") / 255.0 - 0.5
    trainer = Trainer(images, int(batch_size))
    versions = {"torch": metadata.version("torch")}
    print(json.dumps(versions), flush=True)
    for line in sys.stdin:
        started = time.perf_counter()
        loss = trainer.train(int(line))
        answer = {"seconds": time.perf_counter() - started, "loss": loss}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
