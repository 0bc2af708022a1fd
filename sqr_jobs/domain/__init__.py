"""What a job is and how it may change: frozen data and pure decisions, standard library only."""
