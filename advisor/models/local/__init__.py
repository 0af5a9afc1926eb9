"""The embedded model and any other that transformers can load."""
