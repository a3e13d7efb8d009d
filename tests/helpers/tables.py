"""What the tests of networks go over: cells, activations, poolings, losses; and how to cross them.

CONTRIBUTING.md says when to use which.
"""

from itertools import product

import oracle_cells
import oracle_heads
import pytest

ACTIVATIONS = list(oracle_cells.ACTIVATIONS)
POOLINGS = [*oracle_heads.POOLINGS, ("last", "mean", "max"), ("max", "attention")]
LOSSES = list(oracle_heads.LOSSES)
# Every cell, with the activations that it reads.
NETWORKS = [(cell, "tanh") for cell in oracle_cells.CELLS]
NETWORKS += [("rnn", activation) for activation in ACTIVATIONS if activation != "tanh"]
# Every head. A CRF is over the steps of a sequence.
HEADS = [(pool, loss) for pool in POOLINGS for loss in LOSSES if loss != "crf" or pool == "all"]


def each(**tables):
    """Parametrize a test over the product of some tables; the last varies fastest."""

    def decorate(test):
        for name, values in reversed(tables.items()):
            test = pytest.mark.parametrize(name, list(values))(test)
        return test

    return decorate


def each_network(test):
    """Parametrize a test over `NETWORKS`, in one direction and in both."""
    test = each(bidirectional=(False, True))(test)
    return pytest.mark.parametrize(("cell", "activation"), NETWORKS)(test)


each_head = pytest.mark.parametrize(("pooling", "loss"), HEADS)


def each_design(depths):
    """Parametrize a test over networks, numbers of layers and poolings, losses in turn.

    A head knows nothing of the layers below but the numbers that they hand up, so that each loss
    need not meet each of them at each depth.
    """
    designs = []
    for pooling in POOLINGS:
        losses = [loss for pool, loss in HEADS if pool == pooling]
        for k, network in enumerate(NETWORKS):
            for turn, shape in enumerate(product((False, True), depths), start=k):
                designs.append((*network, *shape, pooling, losses[turn % len(losses)]))
    names = "cell", "activation", "bidirectional", "n_layers", "pooling", "loss"
    return pytest.mark.parametrize(names, designs)
