"""How good a system is: error rates and costs over trials."""
