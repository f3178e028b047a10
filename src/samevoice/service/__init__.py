"""The service: the library over HTTP, for many callers at once, and the page that people use."""
