"""NOTIFY: tell people what waits for them: a change to approve, a decision on theirs, a deadline, a token.

What is to be told stands in the database, written with what it tells of (``0019_notifications.sql``). This
room knows the targets of the machine (``targets``), makes the texts (``messages``), reaches where they are
read (``webhook``, ``mail``, through ``networks``), and keeps what came of it (``outbox``). Alerts are about
rates and states, and another matter: see ``observe``.
"""
