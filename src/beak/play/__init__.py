"""At the Go board: a player around a network, GTP for other programs, games against itself."""
