"""Networks and how they run: cells, plan, weights, optimizer, batches, threads."""
