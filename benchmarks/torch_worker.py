"""The peers on PyTorch, in a process of their own.

    PYTHON torch_worker.py pythae|torch IMAGES.npy BATCH_SIZE < orders
    PYTHON torch_worker.py pythae_nll IMAGES.npy NUM_SAMPLES < orders

trains the dense VAE, or estimates log p of the images, as often as a number
says whenever a line with it comes in, and answers with one line of JSON: the
seconds, and the mean loss of the last time. Nothing of this project is
imported: PYTHON may be of another environment. The first line of the answer
holds the versions.
"""

import contextlib
import json
import sys
import tempfile
import time
from importlib import metadata

import numpy as np
import torch

UNITS = (512, 512)
LATENT_DIM = 50
LEARNING_RATE = 1e-3


def mlp(*sizes):
    layers = []
    for fan_in, fan_out in zip(sizes[:-1], sizes[1:]):
        layers += [torch.nn.Linear(fan_in, fan_out), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers)


class PlainLoop:
    """A loop over whole gathered batches, fused Adam."""

    packages = ("torch",)

    def __init__(self, images, batch_size):
        pixels = images[0].numel()
        self._x = images.reshape(-1, pixels)
        self._batch_size = batch_size
        self._encoder = mlp(pixels, *UNITS)
        self._head = torch.nn.Linear(UNITS[-1], 2 * LATENT_DIM)
        self._decoder = torch.nn.Sequential(
            mlp(LATENT_DIM, *UNITS), torch.nn.Linear(UNITS[-1], pixels)
        )
        parts = (self._encoder, self._head, self._decoder)
        self._optimizer = torch.optim.Adam(
            [p for part in parts for p in part.parameters()],
            lr=LEARNING_RATE,
            fused=True,
        )

    def epoch(self):
        total = torch.zeros(())
        for rows in torch.randperm(len(self._x)).split(self._batch_size):
            loss = self._step(self._x[rows])
            total += loss.detach() * len(rows)
        return float(total) / len(self._x)

    def _step(self, x):
        mean, log_var = self._head(self._encoder(x)).chunk(2, dim=1)
        z = mean + (0.5 * log_var).exp() * torch.randn_like(mean)
        reconstruction = torch.nn.functional.binary_cross_entropy_with_logits(
            self._decoder(z), x, reduction="sum"
        )
        kl = 0.5 * (mean.square() + log_var.exp() - 1 - log_var).sum()
        loss = (reconstruction + kl) / len(x)
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        return loss


def pythae_vae(images):
    """Pythae's model of the dense VAE."""
    from pythae.models import VAE
    from pythae.models import VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder
    from pythae.models.nn import BaseEncoder

    shape = tuple(images.shape[1:])
    pixels = images[0].numel()

    class Encoder(BaseEncoder):
        def __init__(self):
            super().__init__()
            self.layers = mlp(pixels, *UNITS)
            self.mean = torch.nn.Linear(UNITS[-1], LATENT_DIM)
            self.log_var = torch.nn.Linear(UNITS[-1], LATENT_DIM)

        def forward(self, x):
            features = self.layers(x.flatten(1))
            return ModelOutput(
                embedding=self.mean(features),
                log_covariance=self.log_var(features),
            )

    class Decoder(BaseDecoder):
        def __init__(self):
            super().__init__()
            self.layers = torch.nn.Sequential(
                mlp(LATENT_DIM, *UNITS),
                torch.nn.Linear(UNITS[-1], pixels),
                torch.nn.Sigmoid(),
            )

        def forward(self, z):
            x = self.layers(z).reshape(-1, *shape)
            return ModelOutput(reconstruction=x)

    return VAE(
        VAEConfig(
            input_dim=shape, latent_dim=LATENT_DIM, reconstruction_loss="bce"
        ),
        encoder=Encoder(),
        decoder=Decoder(),
    )


class PythaeLikelihood:
    """Pythae's importance sampling, without gradients."""

    packages = ("torch", "pythae")

    def __init__(self, images, num_samples):
        self._x = images
        self._num_samples = num_samples
        self._model = pythae_vae(images).eval()

    @torch.no_grad()
    def epoch(self):
        return -float(self._model.get_nll(self._x, self._num_samples))


class Pythae:
    """Pythae's VAE and trainer; only its epochs are timed, not its files."""

    packages = ("torch", "pythae")

    def __init__(self, images, batch_size):
        from pythae.data.preprocessors import DataProcessor
        from pythae.trainers import BaseTrainer
        from pythae.trainers import BaseTrainerConfig

        model = pythae_vae(images)
        self._folder = tempfile.TemporaryDirectory()
        self._trainer = BaseTrainer(
            model,
            DataProcessor.to_dataset(images),
            training_config=BaseTrainerConfig(
                output_dir=self._folder.name,
                per_device_train_batch_size=batch_size,
                learning_rate=LEARNING_RATE,
                no_cuda=True,
            ),
        )
        self._trainer.prepare_training()
        self._epochs = 0

    def epoch(self):
        self._epochs += 1
        return self._trainer.train_step(self._epochs)


PEERS = {"torch": PlainLoop, "pythae": Pythae, "pythae_nll": PythaeLikelihood}


def main(name, path, number):
    answers = sys.stdout
    # Standard output is for answers, whatever a peer prints.
    with contextlib.redirect_stdout(sys.stderr):
        images = torch.from_numpy(np.load(path)).movedim(-1, 1).float()
        images /= images.max()
        peer = PEERS[name](images, int(number))
        versions = {p: metadata.version(p) for p in peer.packages}
        print(json.dumps(versions), file=answers, flush=True)
        for line in sys.stdin:
            started = time.perf_counter()
            for _ in range(int(line)):
                loss = peer.epoch()
            answer = {"seconds": time.perf_counter() - started, "loss": loss}
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
