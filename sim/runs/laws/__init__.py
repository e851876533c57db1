"""The laws of the cloud, each a small observer of records that raises :class:`LawViolation`.

They are a second opinion: they see records alone, share no code with the model, and rebuild what they need.
"""
