"""The machine's limit on arithmetic, which the shares in benchmarks are shares of."""
