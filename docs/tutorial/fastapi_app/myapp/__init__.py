"""The tutorial's application: people, and reports on them."""
