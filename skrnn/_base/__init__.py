"""What all estimators share: the base class, the training loop, persistence."""
