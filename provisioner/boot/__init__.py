"""What a machine boots and why, the script that says so, and the ledger of boots under way."""
