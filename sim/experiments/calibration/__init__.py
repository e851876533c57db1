"""An operator's own measured live migrations → a timing profile of that cloud."""
