"""One use case a file. Services know ports, pure rooms and nothing of files, sockets or clocks."""
