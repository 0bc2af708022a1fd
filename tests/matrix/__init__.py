"""The fault matrix: every fault at every phase where it is legal, on real processes, with a checker."""
