"""Corpora at scale: embed every recording of a corpus, on one machine or many, and find who is in it twice.

Knows: blocks, worker processes, datasets of embeddings. Does not know: how one recording is embedded.
"""
