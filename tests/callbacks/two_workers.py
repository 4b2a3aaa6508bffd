"""One of two processes that train together. Argument: folder."""

import json
import sys

import tensorflow as tf

# Before all else: the workers meet here.
strategy = tf.distribute.MultiWorkerMirroredStrategy()

import keras  # noqa: E402
import numpy as np  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402

from keras_vae.callbacks import ExactBackup  # noqa: E402
from keras_vae.callbacks import HistoryCSV  # noqa: E402
from keras_vae.callbacks import ImageGrid  # noqa: E402
from keras_vae.callbacks import PosteriorCollapseAlarm  # noqa: E402
from tests.callbacks.models import tiny_vae  # noqa: E402

folder = sys.argv[1]
x = (load_digits().images[:128, ..., None] / 16.0).astype("float32")
with strategy.scope():
    model = tiny_vae(
        optimizer=keras.optimizers.SGD(1e-3, momentum=0.9), run_eagerly=False
    )
options = tf.data.Options()
policy = tf.data.experimental.AutoShardPolicy.DATA
options.experimental_distribute.auto_shard_policy = policy
data = tf.data.Dataset.from_tensor_slices(x).batch(32).with_options(options)
callbacks = [
    PosteriorCollapseAlarm(x),
    ImageGrid(x[:8], image_dir=f"{folder}/images"),
    HistoryCSV(f"{folder}/history.csv"),
]
backup = ExactBackup(f"{folder}/backup", callbacks)
epoch = backup.restore(model)
history = model.fit(
    data,
    initial_epoch=epoch,
    epochs=2,
    verbose=0,
    callbacks=[*callbacks, backup],
)
weights = np.concatenate([np.ravel(w) for w in model.get_weights()])
result = [epoch, history.history["loss"], weights.tobytes().hex()]
print(json.dumps(result), flush=True)
