"""Training on pictures of one's own: recipes by three controls, and what is seen and said of it on the way."""
