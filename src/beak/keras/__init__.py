"""Keras scripts on beak's engine: change one import."""
