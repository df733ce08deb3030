"""Packages a submission asks for: resolved with hashes, unpacked from wheels, shown read-only inside its cells.

No build step of a stranger's runs outside the sandbox, and what was resolved once is kept with the record.
"""
