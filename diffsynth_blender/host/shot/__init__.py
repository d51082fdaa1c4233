"""What the artist chooses for a shot, and the panels that show it."""
