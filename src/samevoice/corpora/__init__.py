"""Corpora: who said what in which file, from any layout on disk to one manifest.

Knows: manifests, readers, splits, shards, reading a listed utterance. Does not know: networks, batches.
"""
