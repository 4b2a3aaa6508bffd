"""One executable document per paper: `python -m recipes.<name> --help`."""

import os

# TensorFlow's notes on the machine would bury the progress bar.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
