"""Sound: from any container to mono blocks of 32-bit floats, and what could mislead a listener."""
