"""What every plugin promises, as classes of tests: one for each kind of thing that plugins answer."""
