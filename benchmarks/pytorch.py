"""The other side: the same network and the same training loop in PyTorch.

Written as someone would who wants it fast: no DataLoader, tensors that share the arrays'
memory, one gather a batch, inference mode for prediction.
"""

from contextlib import contextmanager

import numpy as np
import torch
from shapes import N_CLASSES
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

NAME = "PyTorch"
VERSION = torch.__version__
CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


class Classifier(nn.Module):
    """Recurrent layers, the last hidden state of each direction, a linear head."""

    def __init__(self, shape):
        super().__init__()
        directions = 1 + shape.bidirectional
        self.cell = CELLS[shape.cell](
            shape.D,
            shape.H,
            num_layers=shape.layers,
            bidirectional=shape.bidirectional,
            batch_first=True,
        )
        self.directions = directions
        self.head = nn.Linear(directions * shape.H, N_CLASSES)

    def forward(self, batch):
        """Score the classes of a batch, dense or packed."""
        state = self.cell(batch)[1]
        if isinstance(state, tuple):
            state = state[0]
        last = state[-1] if self.directions == 1 else torch.cat([state[-2], state[-1]], dim=1)
        return self.head(last)


def _gather(X, rows):
    if isinstance(X, torch.Tensor):
        return X[rows]
    chosen = [X[i] for i in rows]
    lengths = torch.tensor([len(x) for x in chosen])
    padded = pad_sequence(chosen, batch_first=True)
    return pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=False)


def fit(shape, X, y):
    """Train from scratch; this whole call is what is timed."""
    torch.manual_seed(0)
    y = torch.from_numpy(y)
    network = Classifier(shape)
    parameters = list(network.parameters())
    optimizer = torch.optim.Adam(parameters, lr=1e-3)
    loss_function = nn.CrossEntropyLoss()
    for _ in range(shape.epochs):
        total = 0.0
        for rows in torch.randperm(len(y)).split(shape.B):
            optimizer.zero_grad()
            loss = loss_function(network(_gather(X, rows)), y[rows])
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            total += loss.item()
    return network


def predict(network, shape, X):
    """Predict labels; this whole call is what is timed."""
    network.eval()
    labels = []
    with torch.inference_mode():
        for rows in torch.arange(len(X)).split(shape.B):
            batch = X[rows[0] : rows[-1] + 1] if isinstance(X, torch.Tensor) else _gather(X, rows)
            labels.append(network(batch).argmax(dim=1))
    return torch.cat(labels).numpy()


def prepare(X):
    """Wrap the same memory in tensors, before the clock starts."""
    if isinstance(X, np.ndarray):
        return torch.from_numpy(X)
    return [torch.from_numpy(x) for x in X]


@contextmanager
def threads(n):
    """Make a context in which this side computes with `n` threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
