"""Classes: their weights."""

import numpy as np
from sklearn.utils.class_weight import compute_class_weight


def class_weights(class_weight, classes, codes, sample_weight):
    """Return the weight of each class.

    Parameters
    ----------
    class_weight : dict, 'balanced' or None
        'balanced' makes all classes that occur weigh the same.
    classes : ndarray of shape (n_classes,)
    codes : ndarray of shape (n,), dtype=intp
        Labels as places in `classes`.
    sample_weight : ndarray of shape (n,), or None
        A weight counts like so many repetitions.

    Returns
    -------
    ndarray of shape (n_classes,), or None
        None where all weigh 1; 1 for a class that does not occur.
    """
    if class_weight is None:
        return None
    if class_weight == "balanced":
        found = np.bincount(codes, weights=sample_weight, minlength=len(classes))
        occurs = found > 0
        weights = np.ones(len(classes))
        weights[occurs] = found.sum() / (occurs.sum() * found[occurs])
        return weights
    weights = compute_class_weight(class_weight, classes=classes, y=classes)
    if not ((weights >= 0) & (weights < np.inf)).all():
        raise ValueError(f"class_weight must be finite and not negative; got {class_weight}.")
    return weights


def check_partial_weights(class_weight):
    """Raise where `partial_fit` cannot know the weights of classes."""
    if class_weight == "balanced":
        raise ValueError(
            "class_weight='balanced' is not supported by partial_fit, which does not see all "
            "labels. Compute the weights with compute_class_weight and pass them as a dict."
        )
