"""One carrier per module; each exposes ``DIALECT``."""
