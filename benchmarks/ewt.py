"""Accuracy of part-of-speech tags on UD English EWT, with the parameters of the example.

12,543 sentences to train on, 2,002 to develop and 2,077 to test with; 17 tags. Run it as
``SKRNN_DATA=folder python benchmarks/ewt.py --seeds 0 1 2``, where ``folder/ud_english_ewt`` holds
the ``.conllu`` files.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))

from ewt_tagger import PARAMETERS, data_folder, treebank

from skrnn import LSTMTagger


def main(argv=None):
    """Print the accuracies of each seed, and their means."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--dev", action="store_true", help="leave the test part alone")
    parser.add_argument("--sentences", type=int, help="train on so many of them only")
    args = parser.parse_args(argv)
    if not data_folder().is_dir():
        print("Skipped: no treebank. Point SKRNN_DATA to the folder that holds ud_english_ewt.")
        return 0
    X, y = (part[: args.sentences] for part in treebank("train"))
    parts = {name: treebank(name) for name in (["dev"] if args.dev else ["dev", "test"])}
    figures = []
    for seed in args.seeds:
        tagger = LSTMTagger(**PARAMETERS | {"random_state": seed})
        start = time.perf_counter()
        tagger.fit(X, y)
        seconds = time.perf_counter() - start
        n_weights = sum(weights.size for weights in tagger.weights_.values())
        figures.append([tagger.score(*part) for part in parts.values()])
        print(
            f"seed {seed}   {_accuracies(parts, figures[-1])}   fit {seconds:.1f} s   "
            f"{n_weights:,} parameters",
            flush=True,
        )
    print(f"mean of {len(figures)}   {_accuracies(parts, np.mean(figures, axis=0))}")
    return 0


def _accuracies(parts, figures):
    return "   ".join(f"{name} {figure:.4f}" for name, figure in zip(parts, figures, strict=True))


if __name__ == "__main__":
    sys.exit(main())
