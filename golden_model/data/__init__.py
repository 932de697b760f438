"""What networks learn from: data sets, the files they come from, and changes of images."""
