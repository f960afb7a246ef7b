"""Where messages come from: one module a kind of source. They read and check; they store nothing."""
