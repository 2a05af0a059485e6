"""One trained network = one directory: its files, its answers, its evaluation and report."""
