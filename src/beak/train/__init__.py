"""From a recipe to a run: the loop, its schedule and its recipe; the scikit-learn estimator."""
