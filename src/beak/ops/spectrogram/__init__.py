"""From samples to log-mel spectrograms."""
