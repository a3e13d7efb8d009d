"""The other side of the tagging benchmark: the same tagger, and a CRF, in PyTorch.

Written as someone would who wants it fast: ids are packed before they are embedded, so that no
step of padding is computed; labels travel in the same packed rows; Adam is the fused one.
Embeddings have dense gradients, because ``clip_grad_norm_`` does not take sparse ones.
"""

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence

from skrnn.preprocessing import TokenEncoder


class Network(nn.Module):
    """Embeddings side by side, one bidirectional LSTM, a linear head on every step."""

    def __init__(self, rows, params, n_classes):
        super().__init__()
        (width,) = params["hidden_layer_sizes"]
        sizes = embedding_sizes(rows)
        self.tables = nn.ModuleList(nn.Embedding(*size) for size in sizes)
        self.register_buffer("unknown", torch.tensor(rows) - 1)
        self.word_dropout = params["word_dropout"]
        self.lstm = nn.LSTM(sum(dim for _, dim in sizes), width, bidirectional=True)
        self.dropout = nn.Dropout(params["dropout"])
        self.head = nn.Linear(2 * width, n_classes)

    def forward(self, ids, batch_sizes):
        """Score the labels of packed steps, in the order of the packed rows."""
        if self.training:
            dropped = torch.rand(ids.shape) < self.word_dropout
            ids = torch.where(dropped, self.unknown, ids)
        embedded = torch.cat([table(ids[:, c]) for c, table in enumerate(self.tables)], dim=1)
        states = self.lstm(PackedSequence(embedded, batch_sizes))[0].data
        return self.head(self.dropout(states))


def embedding_sizes(rows):
    """Choose widths as LSTMTagger does: by the rows of a table, at most 128 for words, else 32."""
    return [
        (n, int(np.clip(round(1.6 * n**0.56), 4, 32 if c else 128))) for c, n in enumerate(rows)
    ]


class Tagger:
    """From lists of words to lists of labels; `params` are those of LSTMTagger."""

    def __init__(self, params):
        self.params = params

    def fit(self, X, y):
        """Train from scratch; this whole call is what is timed."""
        torch.manual_seed(0)
        self.encoder = TokenEncoder(min_freq=self.params["min_freq"]).fit(X)
        encoded = self.encoder.transform(X)
        # A row for each id, and the last one for unknown tokens.
        self.rows = [int(n) + 2 for n in np.max([ids.max(axis=0) for ids in encoded], axis=0)]
        self.classes, labels = np.unique(np.concatenate(y), return_inverse=True)
        steps = self._steps(encoded, labels)
        self.network = Network(self.rows, self.params, len(self.classes))
        parameters = list(self.network.parameters())
        rate = self.params["learning_rate_init"]
        optimizer = torch.optim.Adam(parameters, lr=rate, fused=True)
        loss_function = nn.CrossEntropyLoss()
        for _ in range(self.params["max_iter"]):
            total = 0.0
            for rows in torch.randperm(len(steps)).split(self.params["batch_size"]):
                batch = pack_sequence([steps[i] for i in rows], enforce_sorted=False)
                optimizer.zero_grad()
                scores = self.network(batch.data[:, :-1], batch.batch_sizes)
                loss = loss_function(scores, batch.data[:, -1])
                loss.backward()
                nn.utils.clip_grad_norm_(parameters, 1.0)
                optimizer.step()
                total += loss.item()
        return self

    def predict(self, X, batch_size):
        """Predict labels, similar lengths together; this whole call is what is timed."""
        self.network.eval()
        encoded = self.encoder.transform(X)
        lengths = np.array([len(ids) for ids in encoded])
        steps = self._steps(encoded, np.arange(lengths.sum()))
        codes = np.empty(lengths.sum(), dtype=np.intp)
        with torch.inference_mode():
            for rows in torch.from_numpy(np.argsort(-lengths)).split(batch_size):
                batch = pack_sequence([steps[i] for i in rows])
                scores = self.network(batch.data[:, :-1], batch.batch_sizes)
                codes[batch.data[:, -1].numpy()] = scores.argmax(dim=1).numpy()
        return np.split(self.classes[codes], np.cumsum(lengths)[:-1])

    def _steps(self, encoded, last):
        """Make a tensor of each sequence: the ids of its steps, and a last column."""
        ids = np.concatenate(list(encoded))
        ids = np.where(ids < 0, np.array(self.rows) - 1, ids)
        steps = torch.from_numpy(np.column_stack([ids, last]))
        return steps.split([len(ids) for ids in encoded])


class CRF(nn.Module):
    """Linear-chain conditional random field, vectorized over the batch, a step at a time."""

    def __init__(self, scores):
        super().__init__()
        start, transitions, end = scores[0], scores[1:-1], scores[-1]
        self.start = nn.Parameter(start.clone())
        self.transitions = nn.Parameter(transitions.clone())
        self.end = nn.Parameter(end.clone())

    def forward(self, emissions, labels, mask):
        """Sum the negative log likelihoods; steps first: (T, B, K), (T, B) and (T, B)."""
        return (self._log_partition(emissions, mask) - self._score(emissions, labels, mask)).sum()

    def _log_partition(self, emissions, mask):
        alpha = self.start + emissions[0]
        for t in range(1, len(emissions)):
            paths = alpha[:, :, None] + self.transitions + emissions[t][:, None, :]
            alpha = torch.where(mask[t][:, None], torch.logsumexp(paths, dim=1), alpha)
        return torch.logsumexp(alpha + self.end, dim=1)

    def _score(self, emissions, labels, mask):
        of_labels = emissions.gather(2, labels[:, :, None])[:, :, 0]
        of_pairs = self.transitions[labels[:-1], labels[1:]]
        last = labels.gather(0, mask.sum(dim=0)[None] - 1)[0]
        within = (of_labels * mask).sum(dim=0) + (of_pairs * mask[1:]).sum(dim=0)
        return self.start[labels[0]] + within + self.end[last]


def crf_loss(scores, logits, labels, lengths):
    """Prepare the CRF of given scores; return what computes its mean loss per step and gradients.

    Parameters
    ----------
    scores : ndarray of shape (n_labels + 2, n_labels)
        Of starts, pairs and ends.
    logits : ndarray of shape (total_steps, n_labels)
    labels : ndarray of shape (total_steps,)
    lengths : list of int

    Returns
    -------
    callable
        Takes a number of repeats; returns the loss and the gradient of the logits.
    """
    crf = CRF(torch.from_numpy(scores))
    pad = nn.utils.rnn.pad_sequence
    emissions = pad(torch.from_numpy(logits).split(lengths)).requires_grad_()
    padded = pad(torch.from_numpy(labels).split(lengths))
    mask = torch.arange(max(lengths))[:, None] < torch.tensor(lengths)

    def compute(repeats):
        for _ in range(repeats):
            crf.zero_grad()
            emissions.grad = None
            loss = crf(emissions, padded, mask) / len(labels)
            loss.backward()
        gradient = emissions.grad.transpose(0, 1)[mask.T]
        return loss.item(), gradient.numpy()

    return compute
