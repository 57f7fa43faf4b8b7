"""One use case a file, or a folder of its parts.

Services know ports, pure rooms and nothing of files, sockets or clocks.
"""
