"""``beak evaluate``: how good a trained network is on labelled pictures."""
