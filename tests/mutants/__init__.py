"""Removes one guard after another from a copy of the library, and sees a test turn red."""
