"""Moving and recolouring batches of pictures."""
