"""Write what the docstrings of the estimators share into each of them.

    python tests/helpers/make_docstrings.py [--check]

The texts below are the only ones to edit; the script copies each into the docstring of every
estimator that has an entry of the same name, so that editors and readers of the source see all
parameters. `OWN` names entries of which an estimator says something of its own. A new shared
parameter needs its line (``name : type``) where it belongs in each docstring, and one run. A
default that is not the same for all is ``$name``, read from the estimator's ``__init__``.
"""

import ast
import re
import sys
from pathlib import Path
from string import Template
from textwrap import indent

PACKAGE = Path(__file__).resolve().parents[2] / "skrnn"
FILES = {
    "RNNClassifier": "_classifier.py",
    "RNNRegressor": "_regressor.py",
    "LSTMTagger": "_tagger.py",
    "LSTMForecaster": "_forecaster/forecaster.py",
    "LSTMLanguageModel": "_language_model/language_model.py",
    "Seq2SeqTranslator": "_translator/translator.py",
}
# Entries that are not copied, because the estimator has its own text.
OWN = {
    "LSTMTagger": {"bidirectional", "embedding_dim", "subwords", "min_freq", "word_dropout"},
    "LSTMLanguageModel": {"bptt_steps", "embedding_dim", "min_freq"},
    "LSTMForecaster": {"scaling"},
    "Seq2SeqTranslator": {"bidirectional", "embedding_dim", "min_freq", "word_dropout"},
}

PARAMETERS = """
hidden_layer_sizes : int or array-like of int, default=(64,)
    Number of hidden units of each layer; several numbers stack layers.

activation : {'tanh', 'relu', 'logistic'}, default='tanh'
    Activation function of the 'rnn' cell; 'lstm' and 'gru' have fixed ones.

solver : {'adam', 'sgd'}, default='adam'
    Optimizer: Adam [1]_, or stochastic gradient descent with momentum.

alpha : float, default=0.0001
    Strength of the L2 penalty on the weight matrices. It is divided by the weight of all data
    (the number of sequences, or of labeled steps) when added to the mean loss, as in
    scikit-learn's linear models: the more data, the less it counts.

batch_size : int or 'auto', default='auto'
    Number of sequences per mini-batch; 'auto' is `min(32, n_sequences)`.

learning_rate : {'constant', 'linear', 'invscaling', 'adaptive'}, default=$learning_rate
    Schedule of the step size. 'constant' keeps it; 'linear' decreases it linearly to zero over
    `max_iter` epochs, which takes the noise out of the last weights. With `solver='sgd'`,
    'invscaling' divides the initial step size by `(sequences seen + 1) ** power_t`, and
    'adaptive' divides the step size by 5 each time the loss stalls.

learning_rate_init : float, default=$learning_rate_init
    Initial step size.

power_t : float, default=0.5
    Exponent of the 'invscaling' schedule.

max_iter : int, default=200
    Maximum number of epochs.

shuffle : bool, default=True
    Draw a new order of the sequences for each epoch.

random_state : int, RandomState instance or None, default=None
    Source of the initial weights, the order of the sequences, dropout and the validation part.
    With an int, the fit is the same to the last bit for any number of threads.

tol : float, default=1e-4
    Smallest change of the loss (or of the validation score) that counts as improvement.

verbose : bool, default=False
    Print one line per epoch.

warm_start : bool, default=False
    Continue from the weights and the optimizer state of the previous `fit`. The vocabulary, the
    classes and the scale of the targets stay; improvement is judged by the data of this `fit`.

momentum : float, default=0.9
    Momentum of 'sgd', between 0 and 1.

nesterovs_momentum : bool, default=True
    Use Nesterov's form of momentum.

early_stopping : bool, default=False
    Hold out `validation_fraction` of the sequences (stratified where each has one label; the
    ends of a forecaster's series and of a single text), from which nothing is learned, or watch
    the validation data that `fit` is given. Stop when `scoring` has not improved by `tol` for
    `n_iter_no_change` epochs; the best weights are kept. Without it the training loss decides,
    and the last weights are kept.

validation_fraction : float, default=0.1
    Fraction of the sequences held out for `early_stopping`.

beta_1, beta_2 : float, default=0.9, 0.999
    Decay rates of Adam's first and second moments.

epsilon : float, default=1e-8
    Term added to Adam's denominator, which keeps it from zero.

n_iter_no_change : int, np.inf or 'auto', default=$n_iter_no_change
    Number of epochs without improvement after which training stops; `np.inf` never stops it.
    'auto' is 10, but `np.inf` for `learning_rate='linear'` without `early_stopping`: this
    schedule ends by itself, and a loss that stalls at a large step size may fall again at a
    small one.

scoring : str, callable or None, default='loss'
    What `early_stopping` watches: the loss of the held-out part; the estimator's own `score`
    (None); the name of a scorer of scikit-learn; or a callable `scorer(estimator, X, y)`. Of
    epochs with equal scores the one with the lowest loss is kept.

cell : {'lstm', 'gru', 'rnn'}, default='lstm'
    Long short-term memory [2]_, gated recurrent unit [3]_ with the reset gate applied after
    the matrix product (as PyTorch and cuDNN do), or the simple recurrence
    `h_t = f(W_hh h_{t-1} + W_hx x_t + b)` [4]_.

bidirectional : bool, default=False
    Add a second network that runs from the last step to the first.

pooling : {'last', 'mean', 'max', 'attention'} or tuple of them, default=$pooling
    Pooling of the hidden states of the top layer, which the output layer reads: the final state
    of each direction (PyTorch's `h_n`), the mean or maximum over the steps of the sequence, or
    a weighted mean with learned weights, ``softmax_t(v . h_t)``, which
    :func:`skrnn.inspection.pooling_weights` returns. Of a tuple such as ``("last", "max")`` the
    output layer reads what each gives, side by side in the order last, mean, max, attention.

dropout : float, default=0.0
    Fraction of the values dropped between layers and before the output layer, in training.

recurrent_dropout : float, default=0.0
    Fraction of the hidden units dropped where they enter the recurrent product; one mask per
    sequence for all its steps [5]_.

max_grad_norm : float or None, default=1.0
    Maximum global norm of the gradient of a batch, to which a longer one is scaled down [6]_;
    None does not clip.

bptt_steps : int or None, default=None
    Number of steps of truncated back-propagation through time: the hidden state is carried on,
    but gradients go back through chunks of this many steps only, counted from where a direction
    ends. None goes back to the start. Networks of one direction (without a CRF), and one layer
    in two directions below a pooling (other than 'attention'), then need memory for a chunk,
    not for the longest sequence.

embedding_dim : int, array-like of int or None, default=None
    Width of the embedding of token input, or one width per column of ids. None chooses it from
    the vocabulary for sequences of `str`. For integers, a width declares that they are token
    ids.

subwords : bool or 'chars', default=False
    For `str` input, embed prefixes of up to 4 characters, suffixes of up to 5 and the shape of
    a token in addition to the token itself, which is then read in lower case, as `LSTMTagger`
    does. 'chars' adds a small bidirectional LSTM over the characters of each token (Ling et al.
    2015; Lample et al. 2016).

min_freq : int, default=1
    Minimum frequency in training; tokens (`str`), parts of tokens and characters that occur
    less often count as unknown.

word_dropout : float, default=0.0
    Probability that a token, and each of its parts or columns independently, is replaced by the
    unknown one in training. The network learns from these places what an unknown token means.
    With `subwords='chars'` a character is replaced with a tenth of that probability.

embeddings : dict, KeyedVectors, path-like or None, default=None
    Pretrained vectors of words, from which the rows of the embedding of `str` tokens start: a
    dict of words and vectors; gensim's `KeyedVectors`, or another object with `key_to_index`
    and `__getitem__`; or the path of a text file that :func:`~skrnn.datasets.read_word_vectors`
    reads (GloVe, word2vec, fastText; a path keeps copies and files of the estimator small). A
    word has the vector of its own spelling, else that of its lower-case form, and is then known
    whatever `min_freq`; words without a vector start from random ones. The width of the
    embedding is that of the vectors, with which `embedding_dim` must agree. `fit` reads them
    where it starts a network; a warm start goes on from what has become of them.

freeze_embeddings : bool, default=False
    Leave the vectors of `embeddings` as they are, to the last bit. All other rows are trained:
    those of words without a vector, of unknown words and of parts. It may change before a warm
    start.

embeddings_vocabulary : {'training', 'all'}, default='training'
    Words that are known: those of the training data, or in addition all that `embeddings` has a
    vector for, so that predictions know words that training did not have. The embedding then
    has a row for each of them, in memory and in files, and that of a language model an output.

scaling : {'global', 'none'} or None, default='global'
    Scaling of numbers of X. 'global' subtracts the mean of each feature over all steps of the
    training data (as the weights count them, without what is held out) and divides by its
    standard deviation, in float64, as ``PerStep(StandardScaler())`` would; a warm start keeps
    both, and `partial_fit` those of its first call. 'none' or None reads X as it is. Tokens and
    ids are never scaled. `weights_` are those of the plain network, which reads X as it is.

dtype : {'float32', 'float64'}, default='float32'
    Precision of weights and computation.
"""

ATTRIBUTES = """
n_features_in_ : int
    Number of features per step; for 2-D input (one series per row) its number of columns, as
    scikit-learn counts; for tokens the number of token columns (1 for `str`).

feature_names_in_ : ndarray of shape (`n_features_in_`,)
    Column names; defined only when X has column names that are all strings.

vocabulary_ : dict
    Row of each token in the (first) embedding; for `str` input only. Tokens that occur only in
    sequences held out by early stopping are not in it.

weights_ : dict of ndarray
    Weights under the names of PyTorch and in its layout.

n_iter_ : int
    Number of epochs run by the last `fit`.

t_ : int
    Number of sequences seen in training.

loss_ : float
    Loss of the last epoch: the weighted mean over sequences (or steps), and the penalty.

best_loss_ : float or None
    Lowest loss of any epoch; None with `early_stopping`.

loss_curve_ : list of float
    Loss of each epoch.

gradient_norm_ : float
    Mean global norm of the gradients of the last epoch, before clipping.

validation_scores_ : list of float or None
    Score of the held-out part after each epoch: with `scoring='loss'` its negative loss. None
    without `early_stopping`. Warm starts append to it. NaN for an epoch that an interrupt has
    left without a score.

best_validation_score_ : float or None
    Score of the weights that the last `fit` has kept; None without `early_stopping`.

best_epoch_ : int or None
    Epoch of these weights, counted from 1 in `loss_curve_`; None without `early_stopping`.
"""

REFERENCES = """
.. [1] Kingma and Ba (2015). Adam: a method for stochastic optimization.
.. [2] Hochreiter and Schmidhuber (1997). Long short-term memory.
.. [3] Cho et al. (2014). Learning phrase representations using RNN encoder-decoder.
.. [4] Elman (1990). Finding structure in time.
.. [5] Gal and Ghahramani (2016). A theoretically grounded application of dropout in
   recurrent neural networks.
.. [6] Pascanu, Mikolov and Bengio (2013). On the difficulty of training recurrent neural
   networks.
"""


def entries_of(text):
    """Return {names: entry} of numpydoc entries, or {".. [n]": reference}."""
    found = re.split(r"^(?=\S)", text.strip("\n"), flags=re.MULTILINE)
    return {name_of(entry): entry.strip() for entry in found if entry.strip()}


def name_of(entry):
    """Return the names of an entry as they stand, or the number of a reference."""
    return re.match(r"\.\. \[\d+\]|[^:\n]+", entry)[0].strip()


SECTIONS = {
    "Parameters": entries_of(PARAMETERS),
    "Attributes": entries_of(ATTRIBUTES),
    "References": entries_of(REFERENCES),
}


def with_shared_entries(doc, own, defaults):
    """Return the docstring of a class, as it stands in the source, with the shared texts."""

    def section(match):
        shared = SECTIONS[match["title"]]
        parts = re.split(r"^(?=    \S)", match["body"], flags=re.MULTILINE)
        for i, part in enumerate(parts):
            name = name_of(part.strip() or "-")
            if name in shared and name not in own:
                space = part[len(part.rstrip()) :]  # blank lines, and what closes the docstring
                parts[i] = indent(Template(shared[name]).substitute(defaults), "    ") + space
        return match["head"] + "".join(parts)

    head = rf"(?P<head>^    (?P<title>{'|'.join(SECTIONS)})\n    -+\n)"
    end = r"(?=^    \S[^\n]*\n    -{3,}\n|\Z)"
    return re.sub(f"{head}(?P<body>.*?){end}", section, doc, flags=re.MULTILINE | re.DOTALL)


def updated(name):
    """Return path, text and updated text of the file of an estimator."""
    path = PACKAGE / FILES[name]
    text = path.read_text(encoding="utf-8")
    body = next(
        node
        for node in ast.parse(text).body
        if isinstance(node, ast.ClassDef) and node.name == name
    ).body
    init = next(node for node in body if getattr(node, "name", None) == "__init__").args
    named = zip(init.kwonlyargs, init.kw_defaults, strict=True)
    defaults = {argument.arg: ast.unparse(default) for argument, default in named}
    lines = text.splitlines(keepends=True)
    doc = "".join(lines[body[0].lineno - 1 : body[0].end_lineno])
    return path, text, text.replace(doc, with_shared_entries(doc, OWN.get(name, set()), defaults))


def main():
    """Write the files that are not current; with --check, only name them."""
    stale = 0
    for name in FILES:
        path, text, fresh = updated(name)
        if text != fresh:
            stale += 1
            print(path)
            if "--check" not in sys.argv:
                path.write_text(fresh, encoding="utf-8")
    return stale if "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
