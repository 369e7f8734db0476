"""Do predicted expressions say what faces do? Photos beside a teacher, heads that are known."""
