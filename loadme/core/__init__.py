"""What happens to a run: the state, what an event makes of it, and what a container is given and gives back. Pure."""
