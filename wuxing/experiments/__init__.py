"""What the papers claim and what they left open: one file for each experiment, each a set of tasks and what they show."""
