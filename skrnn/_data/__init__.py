"""User data as arrays: readers of every format, labels, weights, vocabularies."""
