"""Old import path of the training loop."""

from skrnn._base.training import TrainingLoop as Training

__all__ = ["Training"]
