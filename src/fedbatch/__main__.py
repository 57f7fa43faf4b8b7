"""`python -m fedbatch` is the command `fedbatch`."""
