"""What the commands show: tables and progress on a terminal, JSON, figures, pages of HTML."""
