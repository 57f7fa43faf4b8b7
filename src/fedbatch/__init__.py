"""Fedbatch: federated exchange of batch data between sponsors and contract manufacturers."""

__all__ = ["__version__"]

__version__ = "0.1.0"
