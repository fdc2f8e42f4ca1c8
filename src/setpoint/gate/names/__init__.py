"""GATE: whose name it is: spellings of every declared parameter and of every installed library."""
