"""From records to a board: ranking statistics, rows that can be trusted, rendering."""
