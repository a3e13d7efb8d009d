"""What users pass in, as arrays: readers of every format, labels, weights, vocabularies."""
