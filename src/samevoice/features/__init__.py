"""Features: from samples to the matrix a network reads; the recipe travels in the model's card."""
