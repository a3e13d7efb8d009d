"""What a network is and how it runs: cells, plan, weights, optimizer, batches, threads."""
