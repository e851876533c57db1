"""The conductor: operations that choose hosts and tie computes together."""
