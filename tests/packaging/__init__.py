"""What is shipped: wheel and sdist, what they ask for, and what they do in a clean environment."""
