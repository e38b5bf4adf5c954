"""Ways to and from other programs; each module needs only what it is about."""
