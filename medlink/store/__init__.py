"""What is kept on disk: artifacts with manifests and the workspace that holds them."""
