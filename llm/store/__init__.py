"""The stage store: artifacts named by the hash of what made them, and an inventory of them."""
