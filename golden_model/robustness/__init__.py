"""What broken hardware computes: faults of neurons and links, and single bits that flip."""
