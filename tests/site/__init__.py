"""Looks at the built site as a browser would: what it loads, and where its links lead."""
