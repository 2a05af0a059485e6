"""Resizing pictures of bytes."""
