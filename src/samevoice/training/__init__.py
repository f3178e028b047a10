"""Training: which recordings make up a batch; runs, recipes and checkpoints are to join.

Knows: corpora as numbered utterances and speakers. Does not know: how a trained model is used.
"""
