"""medlink: a biomedical entity linker that learns from its mistakes."""

__version__ = "0.1.0"
