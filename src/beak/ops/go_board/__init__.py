"""The rules of Go and the planes that networks read: slow and clear, then fast."""
