"""Log → tables: what a run means, from its records alone, on this run or last month's."""
