"""The command line: thin edges around the package."""
