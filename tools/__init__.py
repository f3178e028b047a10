"""What the project is made with and never ships: the documentation site."""
