"""Shared parts of all estimators: the base class, the training loop, persistence."""
