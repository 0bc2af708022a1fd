"""Attacks: what someone with a token, a name, a place at the broker or a clock might try."""
