"""All of the sandbox that is shipped into a cell: what runs beside a stranger's code. Nothing outside is imported here."""
