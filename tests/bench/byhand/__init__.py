"""The service as a competent engineer writes it by hand: what the library is measured against."""
