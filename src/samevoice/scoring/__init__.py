"""From two embeddings to evidence, and from evidence to a verdict."""
