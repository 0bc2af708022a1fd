"""One file per port and technology; only `sqr_jobs.wiring` imports from here."""
