"""Is a network as good on all groups of people? Portraits beside a teacher's points and scores."""
