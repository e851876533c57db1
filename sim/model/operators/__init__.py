"""Administrators: they knock on the door like anyone, wait, look, and try again."""
