"""scikit-learn's callback protocol, which it has from version 1.9 on."""


class Progress:
    """Tells scikit-learn's callbacks, of which there is at least one, of each epoch.

    Parameters
    ----------
    estimator : estimator instance
    X, y, sample_weight : object
        What `fit` was given.
    epochs : int
        Most epochs.
    """

    def __init__(self, estimator, X, y, sample_weight, epochs):
        self.estimator = estimator
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self.given = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self.root = estimator._init_callback_context(max_subtasks=epochs)
        self.root.call_on_fit_task_begin(**self.given)

    def epoch_begins(self):
        """Announce an epoch."""
        self.epoch = self.root.subcontext(task_name="epoch")
        self.epoch.call_on_fit_task_begin(**self.given)

    def epoch_ends(self, params):
        """Return whether a callback asks to stop; `params` are what `fit` would now leave."""
        return self._end("epoch", params)

    def finish(self, params):
        """Announce the end of training."""
        self._end("root", params)

    def _end(self, task, params):
        # What, set on a copy of the estimator, makes it as if fit had stopped here.
        return getattr(self, task).call_on_fit_task_end(
            **self.given, reconstruction_attributes=lambda: {"_params": params.copy()}
        )
