"""
Shakespeare, character by character: nats per character on held-out text, and a sample
======================================================================================

One document of 1.1 million characters; the first 90 % train, the last 10 % test. Prints the loss
of each epoch, what the network thinks of the test part, and text of its own.

Run it as ``SKRNN_DATA=folder python examples/shakespeare.py``, where ``folder/tinyshakespeare``
holds the file; ``--validation`` trains on the first 95 % of the training part and judges by the
rest of it: parameters are to be chosen by that.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np

from skrnn import LSTMLanguageModel

TRAIN, VALIDATION = 0.9, 0.05
# Chosen on the validation part: 1.547 nats with dropout 0.3 after 10 epochs, 1.527 with these after
# 6 of 8.
PARAMETERS = {
    "hidden_layer_sizes": (512,),
    "dropout": 0.5,
    "recurrent_dropout": 0.1,
    "boundary_tokens": False,
    "batch_size": 32,
    "bptt_steps": 100,
    "alpha": 0.0,
    "learning_rate_init": 0.004,
    "learning_rate": "linear",
    "max_iter": 8,
    "n_iter_no_change": np.inf,
    "random_state": 0,
    "verbose": True,
}


def load():
    """Read the text."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    path = Path(os.environ.get("SKRNN_DATA", beside)) / "tinyshakespeare" / "input.txt"
    if not path.exists():
        sys.exit(
            "Skipped: no data. Point SKRNN_DATA to the folder that holds tinyshakespeare/input.txt."
        )
    return path.read_text(encoding="utf-8")


def parts(text, validation):
    """Return the text to train on and the text to judge by."""
    train, test = text[: int(TRAIN * len(text))], text[int(TRAIN * len(text)) :]
    if not validation:
        return train, test
    cut = int((1 - VALIDATION) * len(train))
    return train[:cut], train[cut:]


def main(argv=None):
    """Fit, judge, draw."""
    parser = argparse.ArgumentParser(description="Model Shakespeare, character by character.")
    parser.add_argument("--validation", action="store_true", help="leave the test part alone")
    parser.add_argument("--epochs", type=int, default=PARAMETERS["max_iter"])
    parser.add_argument("--temperature", type=float, default=0.7)
    args = parser.parse_args(argv)
    train, test = parts(load(), args.validation)
    start = time.perf_counter()
    model = LSTMLanguageModel(**PARAMETERS | {"max_iter": args.epochs}).fit([list(train)])
    seconds = time.perf_counter() - start
    nats = np.log(model.perplexity([list(test)]))
    name = "validation" if args.validation else "test"
    print(f"{seconds / 60:.1f} minutes; {name}: {nats:.4f} nats per character", flush=True)
    [sample] = model.sample(
        random_state=0, prefix=list("ROMEO:\n"), temperature=args.temperature, max_length=800
    )
    print("".join(sample))


if __name__ == "__main__":
    main()
