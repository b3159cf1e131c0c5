"""Faces: where the eyes are, found or shown by hand; a picture turned and scaled until they lie where they belong."""
