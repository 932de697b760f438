"""What is kept on disk: model files, caches, and how a file is there complete or not at all."""
