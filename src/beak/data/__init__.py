"""Raw files into numbered examples: sources, splits, caches, augmentation, batches."""
