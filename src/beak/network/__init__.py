"""A network as data: layers, shapes, counts, JSON, the catalogue."""
