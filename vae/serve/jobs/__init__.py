"""Trainings that visitors ask for: limits, a queue, a process of its own for each, and the models that come of them."""
