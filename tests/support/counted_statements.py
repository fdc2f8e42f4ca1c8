"""A transaction that counts what it asks the database."""

from setpoint.store.database import Transaction


class Counting(Transaction):
    """Counts the statements of a transaction."""

    statements = 0

    def fetch_all(self, query_name, **params):
        """Count and run it."""
        self.statements += 1
        return super().fetch_all(query_name, **params)
