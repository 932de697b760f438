"""The command line of the toolkit: arguments in; tables, plots and JSON out. The only package that prints."""
