"""The brand's side: the outbox, sending, and collecting the answers."""
