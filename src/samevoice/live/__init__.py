"""Listening as it happens: to a microphone, a pipe, or a file that grows."""
