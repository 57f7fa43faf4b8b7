"""`python -m fedbatch` is the command `fedbatch`."""

from fedbatch.cli import main

if __name__ == "__main__":
    main()
