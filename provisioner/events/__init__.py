"""What happened: events in SQLite, and timelines read from them."""
